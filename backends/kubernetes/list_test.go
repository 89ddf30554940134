package kubernetes

import (
	"fmt"
	"strings"
	"testing"
)

// TestDecodeListNeedsAllOfIt: a list that is cut off anywhere, or is none, must
// not pass as one that has less in it.
func TestDecodeListNeedsAllOfIt(t *testing.T) {
	count := func(text string) (int, error) {
		n := 0
		_, err := decodeList(strings.NewReader(text), func(*object) error { n++; return nil })
		return n, err
	}
	const whole = `{"apiVersion":"v1","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}],"kind":"List","metadata":{"resourceVersion":"7"}}`
	if n, err := count(whole); n != 2 || err != nil {
		t.Fatalf("got %d objects, %v", n, err)
	}
	for i := range whole {
		if n, err := count(whole[:i]); err == nil {
			t.Errorf("%d objects in %s", n, whole[:i])
		}
	}
	for _, text := range []string{
		`{}`, `[]`, `null`, `{"items":[]}`, `{"metadata":{"resourceVersion":"7"}}`, `{"items":{},"metadata":{"resourceVersion":"7"}}`,
		`{"items":[{}],"metadata":{"resourceVersion":"7"}}`, `{"items":[7],"metadata":{"resourceVersion":"7"}}`,
	} {
		if n, err := count(text); err == nil {
			t.Errorf("%d objects in %s", n, text)
		}
	}
	if n, err := count(`{"items":null,"metadata":{"resourceVersion":"7"}}`); n != 0 || err != nil {
		t.Errorf("an empty list: %d objects, %v", n, err)
	}
}

// TestIsAhead: a load balancer's 504 says nothing of revisions.
func TestIsAhead(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("list: %w", &statusError{code: 504, message: "Timeout: Too large resource version: 26, current: 6"}), true},
		{&statusError{code: 504, message: "<html>504 Gateway Time-out</html>"}, false},
		{&statusError{code: 410, message: "too old resource version: 26 (40)"}, false},
		{nil, false},
	} {
		if got := isAhead(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

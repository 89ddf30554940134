package guard

import "testing"

func TestTooMuch(t *testing.T) {
	for _, test := range []struct {
		counted, lost int
		want          bool
	}{{0, 0, false}, {1, 0, false}, {1, 1, true}, {2, 1, false}, {2, 2, true}, {3, 2, true}, {4, 2, false}, {4, 3, true}, {5, 3, true}, {1000, 500, false}, {1000, 501, true}} {
		for _, step := range []bool{true, false} {
			if got := (tally{counted: test.counted, lost: make([]string, test.lost), step: step}).tooMuch(); got != (test.want && step) {
				t.Errorf("%d of %d, by the candidate %t: %t", test.lost, test.counted, step, got)
			}
		}
	}
}

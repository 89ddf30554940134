package etcd

import (
	"fmt"
	"regexp"
	"strconv"
)

// at is an error with the etcd that it is about, in plain words.
func (b *Backend) at(err error) error { return fmt.Errorf("%s: %w", b.where(), worded{err}) }

// worded is an error without what gRPC puts around it, which says nothing that the rest
// does not.
type worded struct{ err error }

func (w worded) Unwrap() error { return w.err }

var (
	callWording = regexp.MustCompile(`rpc error: code = \w+ desc = `)
	dialWording = regexp.MustCompile(`connection error: desc = ("(?:[^"\\]|\\.)*")`)
	wayWording  = regexp.MustCompile(`transport: (?:Error while dialing: )?`)
)

func (w worded) Error() string {
	text := callWording.ReplaceAllString(w.err.Error(), "")
	return dialWording.ReplaceAllStringFunc(text, func(all string) string {
		quoted := dialWording.FindStringSubmatch(all)[1]
		said, err := strconv.Unquote(quoted)
		if err != nil {
			said = quoted
		}
		return wayWording.ReplaceAllString(said, "")
	})
}

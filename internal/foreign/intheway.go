package foreign

import (
	"errors"
	"fmt"
)

// ErrInTheWay is wrapped where something else lies in a place than what belongs
// there: a link, a FIFO, a folder, or what is another user's. The error says what
// it is, and to remove it.
var ErrInTheWay = errors.New("in the way")

func inTheWay(path, format string, args ...any) error {
	return fmt.Errorf("%s is %w: %s: remove it", path, ErrInTheWay, fmt.Sprintf(format, args...))
}

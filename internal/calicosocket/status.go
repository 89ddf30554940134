package calicosocket

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"confd/reload/control"
)

// Tools read the number, so it is that of the words that they get.
const (
	version  = "BIRD 1.6.8"
	greeting = "0001 " + version + " ready.\n"
)

// Lines of "show status" that say that a graceful restart is in progress.
const (
	codeRecovery = 24
	waitingFor   = "  Waiting for "
)

// status answers "show status".
func (s *socket) status(ctx context.Context, w io.Writer) error {
	reply, err := s.ask(ctx, "show status")
	if err != nil {
		return err
	}
	code := 0
	for i, line := range reply.Lines {
		text, keep := line.Text, true
		switch {
		case strings.HasPrefix(text, "BIRD "):
			text = version
		case strings.HasPrefix(text, "Hostname is "):
			keep = false // BIRD 1.6 does not say it
		case strings.HasPrefix(text, waitingFor):
			text, err = s.waiting(ctx)
		}
		if err != nil {
			return err
		}
		if !keep {
			continue
		}
		sign := "-"
		if i == len(reply.Lines)-1 {
			sign = " "
		}
		if err := writeLine(w, line.Code, line.Code == code && sign == "-", sign, wholeSeconds(text)); err != nil {
			return err
		}
		code = line.Code
	}
	return nil
}

// recovering says whether a graceful restart is in progress.
func (s *socket) recovering(ctx context.Context) (bool, error) {
	reply, err := s.ask(ctx, "show status")
	return slices.ContainsFunc(reply.Lines, func(l control.Line) bool { return l.Code == codeRecovery }), err
}

// waiting counts the sessions of the family that a graceful restart waits for: BIRD 2
// and 3 tell those of both together.
func (s *socket) waiting(ctx context.Context) (string, error) {
	list, err := s.whole(ctx, "")
	if err != nil {
		return "", err
	}
	n := 0
	for _, p := range list {
		if p.waits("pending") {
			n++
		}
	}
	return fmt.Sprintf("%s%d protocols to recover", waitingFor, n), nil
}

// BIRD 2 and 3 have fractions of seconds: in times, and in what is left of a timer.
var (
	clock = regexp.MustCompile(`(\d\d:\d\d:\d\d)\.\d+`)
	left  = regexp.MustCompile(`(\d+)\.\d+(/\d+)$`)
)

// wholeSeconds takes them off a line.
func wholeSeconds(text string) string {
	return left.ReplaceAllString(clock.ReplaceAllString(text, "$1"), "$1$2")
}

// writeLine writes a line of a reply. One that goes on with the code of the line
// before has a space for it.
func writeLine(w io.Writer, code int, goesOn bool, sign, text string) error {
	var err error
	if goesOn {
		_, err = fmt.Fprintf(w, " %s\n", text)
	} else {
		_, err = fmt.Fprintf(w, "%04d%s%s\n", code, sign, text)
	}
	return err
}

package calicosocket

import (
	"context"
	"fmt"
	"io"
	"strings"
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

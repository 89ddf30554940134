package calicosocket

import (
	"context"
	"io"
)

// protocols answers "show protocols". BIRD's brief list does where the names tell all;
// else, and while a graceful restart is in progress (BIRD 1.6 shows that as a state
// of its own), it is made from the whole list.
func (s *socket) protocols(ctx context.Context, w io.Writer) error {
	list, err := s.brief(ctx)
	if err != nil {
		return err
	}
	if list == nil {
		if list, err = s.whole(ctx, ""); err != nil {
			return err
		}
	}
	return writeRows(w, list)
}

// brief lists the rows of the family; nil: it takes the whole list.
func (s *socket) brief(ctx context.Context) ([]protocol, error) {
	recovering, err := s.recovering(ctx)
	if err != nil || recovering {
		return nil, err
	}
	const command = "show protocols"
	reply, err := s.ask(ctx, command)
	if err != nil {
		return nil, err
	}
	if reply.Code != 0 {
		return nil, refused(command, reply)
	}
	list := []protocol{}
	for _, line := range reply.Lines {
		r, ok := parseRow(line.Text)
		if line.Code != codeProtocol || !ok {
			continue
		}
		family, known := r.named()
		if !known {
			return nil, nil
		}
		if family == "" || family == s.family {
			list = append(list, protocol{row: r})
		}
	}
	return list, nil
}

func writeRows(w io.Writer, list []protocol) error {
	if _, err := io.WriteString(w, header); err != nil {
		return err
	}
	for i, p := range list {
		if err := writeLine(w, codeProtocol, i > 0, "-", p.text()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "0000 \n")
	return err
}

package golden

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// spool keeps, in a file, what must follow a head that is known at the end. The
// file has no name any more when somebody could see it.
type spool struct {
	file *os.File
}

func (s *spool) write(text []byte) error {
	if s.file == nil {
		f, err := os.CreateTemp("", "confd-report-")
		if err != nil {
			return fmt.Errorf("keeping the report: %w", err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("keeping the report: %w", err)
		}
	}
	_, err := s.file.Write(text)
	return err
}

// flush writes head, what was kept, and tail.
func (s *spool) flush(w io.Writer, head, tail string) error {
	var kept io.Reader = bytes.NewReader(nil)
	if s.file != nil {
		defer s.file.Close()
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("reading the report: %w", err)
		}
		kept = s.file
	}
	_, err := io.Copy(w, io.MultiReader(strings.NewReader(head), kept, strings.NewReader(tail)))
	return err
}

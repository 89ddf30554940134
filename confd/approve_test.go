package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/birds"
	"confd/internal/report"
	"confd/internal/settings"
)

// What approve says of each report that there can be, and what it does not say to
// the terminal.
func TestApprove(t *testing.T) {
	held := report.Held{Hash: "ab", Token: report.NewToken(), Since: time.Now().Add(-time.Hour), Why: "it would\x1b[2J take away", Objects: []string{"BGPPeer \u009bx"}}
	nameless := held
	nameless.Token = ""
	heldFor := regexp.MustCompile(`held for [0-9hms]+`)
	write := func(r report.Report) func(string) error { return func(dir string) error { return r.Write(dir, -1) } }
	for name, c := range map[string]struct {
		prepare func(dir string) error
		stdout  string
		err     string
	}{
		"no report":      {func(string) error { return nil }, "", "no report in"},
		"empty report":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, report.File), nil, 0o600) }, "", "disk full"},
		"a FIFO":         {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, report.File), 0o666) }, "", "it is a FIFO"},
		"nothing held":   {write(report.Report{}), "nothing is held back\n", ""},
		"held":           {write(report.Report{Held: &held}), "approved ab, held for T: it would?[2J take away; BGPPeer ?x\n", ""},
		"held, nameless": {write(report.Report{Held: &nameless}), "", "no name of one"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.prepare(dir); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := approve(t.Context(), settings.Settings{BIRD: birds.Settings{Dir: dir}}, &out)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
			// How long it is held depends on how fast this machine is.
			if got := heldFor.ReplaceAllString(out.String(), "held for T"); got != c.stdout {
				t.Errorf("it prints %q, want %q", got, c.stdout)
			}
			if got := report.Approved(dir, held.Token); got != strings.HasPrefix(c.stdout, "approved") {
				t.Errorf("approved: %v", got)
			}
		})
	}
}

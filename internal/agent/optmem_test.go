package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/bgp"
)

func TestWarnOfKeys(t *testing.T) {
	limit := filepath.Join(t.TempDir(), "optmem_max")
	if err := os.WriteFile(limit, []byte("20480\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for keyed, warns := range map[int]bool{0: false, 100: false, 120: true, 500: true} {
		cfg := &bgp.Config{}
		for i := range 600 {
			s := &bgp.Session{Name: fmt.Sprint(i)}
			if i < keyed {
				s.Password = "p4ssw0rd"
			}
			cfg.IPv4.Sessions = append(cfg.IPv4.Sessions, s)
		}
		var out bytes.Buffer
		warnOfKeys(slog.New(slog.NewTextHandler(&out, nil)), cfg, limit)
		if got := strings.Contains(out.String(), "optmem_max=20480"); got != warns || strings.Contains(out.String(), "p4ssw0rd") {
			t.Errorf("%d keyed sessions: warned %v, want %v: %s", keyed, got, warns, out.String())
		}
	}
}

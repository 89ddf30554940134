package supervise

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/testenv"
)

// The script that is installed beside the program leaves the kernel's routes
// when it is told to end, which BIRD by itself removes; a crash of BIRD it
// reports as BIRD's own.
func TestRunBird(t *testing.T) {
	if _, err := exec.LookPath("birdc"); err != nil {
		t.Skip("no birdc on PATH (Debian: apt-get install bird2)")
	}
	script := "sh " + filepath.Join(testenv.Root(t), "etc", "run-bird") + " SOCKET "
	for name, c := range map[string]struct{ script, left string }{
		"by itself": {"", ""},
		"script":    {script, "blackhole 203.0.113.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := testenv.NewLab(t, testenv.Host{Name: "n", Addrs: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}})
			r := newRun(t, testenv.Bird(t, "2.0.12"), "ip netns exec "+lab.NS("n")+" "+c.script+foreground, Options{Name: "bird"})
			r.configure(small + "protocol static { ipv4; route 203.0.113.0/24 blackhole; }\nprotocol kernel { ipv4 { export all; }; }\n")
			route := func() string { return lab.Exec("n", "ip", "route", "show", "203.0.113.0/24") }
			r.run()
			r.begin()
			r.next(Started)
			testenv.Eventually(t, patience, "the route", func() bool { return route() != "" })

			kill(t, number(r.socket+".pid"))
			if e := r.next(Ended); c.script == "" && e.Exit != "killed by signal 9 (killed)" || c.script != "" && e.Exit != "exit code 137" {
				t.Errorf("killed: %+v", e)
			}
			if r.next(Started); route() == "" {
				t.Error("a crash took the route away")
			}
			r.birdc("show status", "up and running")
			r.birdc("show route export kernel1", "203.0.113.0/24")
			pid := number(r.socket + ".pid")
			r.stop()
			if e := r.next(Ended); e.Exit != "exit code 0" || lives(pid) {
				t.Errorf("told to end: %+v, lives: %v", e, lives(pid))
			}
			if got := route(); !strings.HasPrefix(got, c.left) || c.left == "" && got != "" {
				t.Errorf("the route is %q, want %q", got, c.left)
			}
		})
	}
}

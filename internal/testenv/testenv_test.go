package testenv

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const quietConf = "log stderr all;\nrouter id 192.0.2.1;\nprotocol device { }\n"

func writeConf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEachBirdStartsStopsAndRestarts(t *testing.T) {
	for _, v := range BirdVersions() {
		t.Run(v, func(t *testing.T) {
			conf := writeConf(t, quietConf)
			CheckConfig(t, v, conf)
			b := StartBird(t, v, conf)
			out, err := b.Birdc("show status")
			if err != nil || !strings.Contains(out, "BIRD "+v) {
				t.Errorf("show status: %v\n%s", err, out)
			}
			if _, err := b.Birdc("no such command"); err == nil {
				t.Error("a command that BIRD does not know is no error")
			}
			b.Stop()
			if b.Running() {
				t.Error("runs after Stop")
			}
			b.Restart()
			b.Kill()
			b.Restart()
			if !b.Running() {
				t.Error("does not run after Restart")
			}
		})
	}
}

func TestHostsOfALabSpeakBGP(t *testing.T) {
	a, b := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")
	lab := NewLab(t, Host{"a", []netip.Prefix{a}}, Host{"b", []netip.Prefix{b}})
	session := func(self, peer netip.Prefix) string {
		return writeConf(t, "log stderr all;\nrouter id "+self.Addr().String()+";\nprotocol device { }\n"+
			"protocol bgp peer { local "+self.Addr().String()+" as 64512; neighbor "+peer.Addr().String()+" as 64512; ipv4 { }; }\n")
	}
	birdA := StartBird(t, "2.0.12", session(a, b), InNetns(lab.NS("a")))
	StartBird(t, "2.0.12", session(b, a), InNetns(lab.NS("b")))
	Eventually(t, time.Minute, "the session", func() bool {
		out, err := birdA.Birdc("show protocols peer")
		return err == nil && strings.Contains(out, "Established")
	})
	connect := []string{"timeout", "2", "bash", "-c", "</dev/tcp/192.0.2.2/179"}
	lab.Exec("a", connect...)
	lab.Unplug("b")
	if _, err := lab.TryExec("a", connect...); err == nil {
		t.Error("b answers though it is unplugged")
	}
	lab.Plug("b")
	lab.Exec("a", connect...)
}

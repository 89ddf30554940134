package lab_test

import (
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
)

// gapsAtMost is how often a graceful restart of that BIRD may lose pings. BIRD 3.1.8
// takes the kernel's routes out at the end of it and puts them back at once, in some
// milliseconds where the machine is idle; the others leave them alone.
func gapsAtMost(version string) int {
	if strings.HasPrefix(version, "3.") {
		return 1
	}
	return 0
}

// TestGracefulRestart: BIRD is killed and comes back; its own kernel and its peers'
// keep all routes meanwhile, so that no ping is lost (of BIRD 3: hardly one).
func TestGracefulRestart(t *testing.T) {
	t.Parallel()
	for _, version := range versions("3.1.8", "1.6.8", "2.0.12", "2.17.6") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			configs := []lab.HostConfig{m1(), m2(), m3()}
			for i := range configs {
				configs[i].BIRD = version
			}
			hosts, pods := build(l, configs...)
			l.Start()
			awaitWhole(l, hosts, pods)
			before := l.Moment()

			pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
			pings.AwaitAnswers(5)
			hosts[0].KillBIRD()
			hosts[1].AwaitDown(hosts[1].SessionsWith("Mesh", hosts[0])...)
			pings.AwaitAnswers(20)
			hosts[0].StartBIRD()
			awaitWhole(l, hosts, pods)
			if count := pings.Stop(); count.LostOften(gapsAtMost(version)) {
				t.Errorf("of the pings: %+v", count)
			}
			before.NoFlap(with(hosts[0]))
		})
	}
}

// TestRollingUpgrade: BIRD 1.6 gives way to 2, and that to 3, one host after another;
// packets flow all the time, and sessions between other hosts do not notice.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	configs := []lab.HostConfig{m1(), m2(), m3()}
	for i := range configs {
		configs[i].BIRD = "1.6.8"
	}
	hosts, pods := build(l, configs...)
	l.Start()
	awaitWhole(l, hosts, pods)
	pings, gaps := pods[0].StartPings(pods[1], 20*time.Millisecond), 0
	for _, version := range []string{"2.0.12", "3.1.8"} {
		for _, h := range hosts {
			before := l.Moment()
			h.Confd.Stop()
			h.KillBIRD() // as graceful restart wants it: without a word to the peers
			h.Version = version
			h.Start()
			awaitWhole(l, hosts, pods)
			before.NoFlap(with(h))
			gaps += gapsAtMost(version)
		}
	}
	if count := pings.Stop(); count.LostOften(gaps) {
		t.Errorf("of the pings: %+v", count)
	}
}

// TestConfdAway: confd is killed on all hosts, and the datastore is; routes stay, and
// what was changed meanwhile is done when both are back.
func TestConfdAway(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3())
	l.Start()
	awaitWhole(l, hosts, pods)
	before := l.Moment()
	for _, h := range hosts {
		h.Confd.Kill()
	}
	hosts[2].AddBlock("10.244.77.0/26")
	l.Store.Break()
	for _, h := range hosts {
		h.StartConfd()
	}
	l.AwaitPings(pods...)
	before.NoFlap(nil)
	l.Store.Mend()
	l.AwaitBlocks(hosts...)
	before.NoFlap(nil)
}

package lab_test

import (
	"testing"
	"time"

	"confd/internal/lab"
)

// TestGracefulRestart: BIRD is killed and comes back; its own kernel and its peers'
// keep all routes meanwhile, so that no ping is lost. BIRD 3.1.8 takes the kernel's
// routes out at the end of it and puts them back at once, in some milliseconds where the
// machine is idle.
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

			there, back := follow(l, hosts[0], m2().Blocks[0]), follow(l, hosts[1], m1().Blocks[0])
			pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
			pings.AwaitAnswers(5)
			hosts[0].KillBIRD()
			hosts[1].AwaitDown(hosts[1].SessionsWith("Mesh", hosts[0])...)
			pings.AwaitAnswers(20)
			hosts[0].StartBIRD()
			awaitWhole(l, hosts, pods)
			noneLost(t, pings, there, back)
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
	there, back := follow(l, hosts[0], m2().Blocks[0]), follow(l, hosts[1], m1().Blocks[0])
	pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
	for _, version := range []string{"2.0.12", "3.1.8"} {
		for _, h := range hosts {
			before := l.Moment()
			h.Confd.Stop()
			h.KillBIRD() // as graceful restart wants it: without a word to the peers
			h.Version = version
			h.Start()
			awaitWhole(l, hosts, pods)
			before.NoFlap(with(h))
		}
	}
	noneLost(t, pings, there, back)
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

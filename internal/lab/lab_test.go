package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"confd/internal/lab"
)

// TestLaboratory uses what scenarios are made of once: two subnets, both families,
// all BIRDs, and the faults.
func TestLaboratory(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.AddSubnet("rack1", "10.0.1.0/24", "fd00:1::/64")
	l.AddSubnet("rack2", "10.0.2.0/24", "fd00:2::/64")
	l.Store.Apply("kind: IPPool\nmetadata: {name: v4}\nspec: {cidr: 10.244.0.0/16}\n---\nkind: IPPool\nmetadata: {name: v6}\nspec: {cidr: 'fd00:f4::/48'}")
	var pods []*lab.Workload
	for i, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		rack := 1 + i/2
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("n%d", i), BIRD: version, Subnet: fmt.Sprintf("rack%d", rack),
			Addresses: []string{fmt.Sprintf("10.0.%d.1%d/24", rack, i), fmt.Sprintf("fd00:%d::1%d/64", rack, i)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i), fmt.Sprintf("fd00:f4:0:%d::/122", i)},
		})
		pods = append(pods, h.AddWorkload(fmt.Sprintf("10.244.%d.1", i), fmt.Sprintf("fd00:f4:0:%d::1", i)))
		for _, b := range h.Blocks { // the router is outside the cluster
			l.Router.IP("route add", b.String(), "via", via(h, b))
		}
	}
	l.Start()
	l.AwaitMesh(l.Hosts...)
	l.AwaitBlocks(l.Hosts...)
	l.AwaitPings(pods...)
	start := l.Moment()

	t.Run("a frozen BIRD routes on", func(t *testing.T) {
		l.Hosts[1].Birds[0].Freeze()
		l.AwaitPings(pods...)
		l.Hosts[1].Birds[0].Thaw()
	})
	t.Run("a port is dropped", func(t *testing.T) {
		l.Hosts[0].DropTCP(l.Hosts[1].IPv4(), 179)
		l.AwaitPings(pods...)
		l.Hosts[0].Undrop()
	})
	start.NoFlap(nil)
	t.Run("a session is another one after a restart", func(*testing.T) {
		session, before := lab.SessionName("Mesh", l.Hosts[1].IPv4().String()), l.Moment()
		l.Hosts[0].Birdc("restart " + session)
		l.Await("another session", func() error {
			another, err := before.IsAnother(l.Hosts[0], session)
			if err == nil && !another {
				err = errors.New("it is the same, or not up yet")
			}
			return err
		})
	})
	t.Run("a partition", func(t *testing.T) {
		pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
		pings.AwaitAnswers(1)
		l.Partition(l.Hosts[0].Machine)
		l.Await("no way", func() error {
			if pods[0].Ping(pods[1]) == nil {
				return errors.New("there is an answer")
			}
			return nil
		})
		l.Heal(l.Hosts[0].Machine)
		pings.AwaitAnswers(1)
		if count := pings.Stop(); count.Lost == 0 || count.Lost == count.Sent || count.Longest == 0 {
			t.Errorf("of the pings: %+v", count)
		}
	})
	t.Run("the datastore is out of reach", func(t *testing.T) {
		l.Hosts[0].CutStore(true)
		l.Hosts[0].CutStore(false)
		l.Store.Break()
		l.Store.Mend()
		l.Hosts[3].AddBlock("10.244.100.0/26")
		l.AwaitBlocks(l.Hosts...)
	})
}

// via is the address of the host that is of the block's family.
func via(h *lab.Host, block netip.Prefix) string {
	if block.Addr().Is6() {
		return h.IPv6().String()
	}
	return h.IPv4().String()
}

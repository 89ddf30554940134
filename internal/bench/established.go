package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"confd/internal/testenv"
)

// establishedPeers is how many of the mesh's nodes are there: they hold their IPv4
// sessions up, and each tells its block.
const establishedPeers = 2000

// The network of nodes with sessions that are up. etcd is where this program runs.
const (
	storeBridge  = "store"
	storeAddress = "192.0.2.1"
	peersAddress = "10.0.0.2" // of the host that has all the other nodes' addresses, too
)

// measureEstablished measures changes where thousands of sessions are up, as looking at
// them and judging costs more there. Each program has a network and peers of its own.
func measureEstablished(o options, etcd *etcdServer) (list []work, err error) {
	if err := etcd.replace(testenv.DualMesh(changesNodes).EtcdKeys()); err != nil {
		return nil, err
	}
	t := &tb{work: o.work}
	err = t.run(func() error {
		lab, err := storeLab(t)
		if err != nil {
			return err
		}
		s := etcd.store()
		s.args = []string{"--datastore", "etcdv3", "--etcd-endpoints", "http://" + storeAddress + ":2379"}
		all := o.contestants(s)
		for i := range all {
			all[i].within = addNode(lab, i)
		}
		c := benchCase{nodes: changesNodes, node: testenv.NodeName(quietNode)}
		once := o
		once.runs = 1 // what starts cost is measured elsewhere
		daemons, _, err := start(once, c, all)
		defer func() { stopAll(daemons) }()
		if err != nil {
			return err
		}
		for i, d := range daemons {
			peers, err := startPeers(lab, i, d)
			if err != nil {
				return err
			}
			defer func() {
				_ = peers.Process.Kill() // fails only where it is gone
				_ = peers.Wait()
			}()
		}
		for _, d := range daemons {
			if err := await("the sessions", func() bool { return d.established() >= establishedPeers }); err != nil {
				return err
			}
		}
		var changes []changeCase
		for _, change := range etcdChanges(etcd) {
			if change.name == labelChange || change.name == blockChange {
				changes = append(changes, change)
			}
		}
		if list, err = measureChanges(o.runs, daemons, changes); err != nil {
			return err
		}
		rest, err := memory(memoryWork, residentField, daemons)
		list = append(list, rest)
		return err
	})
	return list, err
}

// storeLab is a network of nobody yet, with a way to etcd.
func storeLab(t *tb) (*testenv.Lab, error) {
	lab := testenv.NewLab(t)
	lab.AddBridge(storeBridge)
	for _, args := range [][]string{
		{"link", "add", "etcd", "type", "veth", "peer", "name", "etcdport", "netns", lab.NS("hub")},
		{"addr", "add", storeAddress + "/24", "dev", "etcd"},
		{"link", "set", "etcd", "up"},
		{"-n", lab.NS("hub"), "link", "set", "etcdport", "master", storeBridge, "up"},
	} {
		if err := run("ip", args...); err != nil {
			return nil, err
		}
	}
	return lab, nil
}

// addNode adds the host of the i-th contestant, which is the node that is measured, and
// the one of its peers, which has the addresses of all other nodes. It returns the
// command that runs others on the former.
func addNode(lab *testenv.Lab, i int) []string {
	node, peers, bridge := fmt.Sprint("node", i), fmt.Sprint("peers", i), fmt.Sprint("mesh", i)
	here := testenv.NodeAddress(quietNode)
	lab.AddBridge(bridge)
	lab.AddForwarder(node)
	lab.Connect(node, "eth0", bridge, netip.PrefixFrom(here, 9), netip.PrefixFrom(testenv.NodeAddressV6(quietNode), 64))
	lab.Connect(node, "eth1", storeBridge, netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", 10+i)))
	lab.AddForwarder(peers)
	lab.Connect(peers, "eth0", bridge, netip.MustParsePrefix(peersAddress+"/9"))
	lab.Exec(peers, "ip", "route", "add", here.String()+"/32", "dev", "eth0", "table", "local")
	lab.Exec(peers, "ip", "route", "add", "local", "10.0.0.0/18", "dev", "lo")
	// A neighbour's entry for each peer is more than the kernel holds: what BGP sends
	// goes to all of them as to one gateway.
	lab.Exec(node, "ip", "route", "add", "10.0.0.0/18", "via", peersAddress, "dev", "eth0", "table", "179")
	lab.Exec(node, "ip", "rule", "add", "ipproto", "tcp", "from", here.String(), "lookup", "179")
	return []string{"ip", "netns", "exec", lab.NS(node)}
}

// startPeers starts the peers of the i-th contestant, all of them one process.
func startPeers(lab *testenv.Lab, i int, d *daemon) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := lab.Command(fmt.Sprint("peers", i), self)
	cmd.Env = append(os.Environ(), speaks+"=1")
	cmd.Stderr = &d.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

// established is how many sessions of the node's BIRD are up.
func (d *daemon) established() int {
	text, err := testenv.Birdc(d.socket(), "show protocols")
	if err != nil {
		return 0
	}
	return strings.Count(text, "Established")
}

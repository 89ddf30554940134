package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"confd/internal/fleet"
	"confd/internal/testenv"
)

// What the nodes of a fleet do here: after the time that BIRD takes to answer each says
// how it stands; of silentOf, one has lost a peer, or is down.
const (
	answerTime = 20 * time.Millisecond
	silentOf   = 10
	fleetPort  = "9191"
)

// fleetCases are what the nodes of a fleet may be like.
func fleetCases() []string {
	return []string{"all answer, 1 in 10 has lost a peer", "1 in 10 is down", "nobody listens"}
}

// measureFleet measures confd status --all-nodes, with the nodes played by this
// process: each address of the cluster leads to it.
func measureFleet(w io.Writer, o options, etcd *etcdServer) error {
	if err := run("ip", "route", "add", "local", "10.0.0.0/8", "dev", "lo"); err != nil {
		return err
	}
	fmt.Fprintf(w, "confd status --all-nodes, from etcd; medians of %d runs\n\n| nodes | case | wall ms | CPU ms | RSS MB |\n| --- | --- | --- | --- | --- |\n", o.runs)
	for _, n := range o.sizes {
		if err := etcd.replace(testenv.Mesh(n).EtcdKeys()); err != nil {
			return err
		}
		for _, name := range fleetCases() {
			if err := measureFleetCase(w, o, etcd, n, name); err != nil {
				return fmt.Errorf("%d nodes, %s: %w", n, name, err)
			}
		}
	}
	return nil
}

func measureFleetCase(w io.Writer, o options, etcd *etcdServer, n int, name string) error {
	if name != fleetCases()[2] {
		stop, err := playFleet(n)
		if err != nil {
			return err
		}
		defer stop()
	}
	if name == fleetCases()[1] {
		if err := takeDown(n, true); err != nil {
			return err
		}
		defer func() { _ = takeDown(n, false) }() // what fails then shows in the next case
	}
	var all []usage
	for range o.runs {
		var text strings.Builder
		cmd := exec.Command(o.confd, "status", "--all-nodes", "--port", fleetPort, "--datastore", "etcdv3", "--etcd-endpoints", etcd.url)
		cmd.Stdout, cmd.Stderr = &text, &text
		u, err := measured(cmd)
		if !strings.Contains(text.String(), fmt.Sprintf(" %d nodes", n)) {
			return fmt.Errorf("%w: %.500s", err, text.String())
		}
		all = append(all, u)
	}
	ms := func(of func(usage) time.Duration) float64 {
		return median(all, func(u usage) float64 { return float64(of(u)) / 1e6 })
	}
	fmt.Fprintf(w, "| %d | %s | %.0f | %.0f | %.0f |\n", n, name, ms(func(u usage) time.Duration { return u.wall }),
		ms(func(u usage) time.Duration { return u.cpu }), median(all, func(u usage) float64 { return float64(u.rss) / 1e6 }))
	return nil
}

// takeDown has packets to some of n nodes vanish, or arrive again.
func takeDown(n int, down bool) error {
	word := map[bool]string{true: "add", false: "del"}[down]
	var batch strings.Builder
	for i := 1; i < n; i += silentOf {
		fmt.Fprintf(&batch, "route %s %s/32 dev sink table local\n", word, testenv.NodeAddress(i))
	}
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w: %s", err, out)
	}
	return nil
}

// playFleet answers for n nodes until stop is called.
func playFleet(n int) (stop func(), err error) {
	answers := map[string][]byte{}
	for i := range n {
		s := fleet.Summary{
			Format: fleet.Format, Node: testenv.NodeName(i), Program: "bench", Ready: true, Up: n - 1, Expected: n - 1,
			BIRDs: []fleet.BIRD{{Name: "bird", State: "up", Version: "2.17.6"}},
		}
		if i%silentOf == 1 {
			s.Up--
			s.Down = []fleet.Session{{Peer: "10.0.0.9", PeerNode: "node-x", State: "start", Meaning: "no answer from 10.0.0.9"}}
		}
		if answers[testenv.NodeAddress(i).String()], err = json.Marshal(s); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", ":"+fleetPort)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		time.Sleep(answerTime)
		_, _ = w.Write(answers[host])
	})}
	go func() { _ = server.Serve(l) }()
	return func() { server.Close() }, nil
}

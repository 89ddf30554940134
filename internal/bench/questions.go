package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"confd/internal/testenv"
)

// question is a command that answers one about a cluster.
type question struct {
	name string
	args []string
	// one: it is about one node, and compared with rendering for it.
	one bool
}

func questions(n int, change string) []question {
	node, other := testenv.NodeName(plainNode), testenv.NodeName(reflectorNode)
	block := testenv.NodeBlock(n / 2)
	return []question{
		{name: "render", args: []string{"render", "--bird", "2"}, one: true},
		{name: "explain session", args: []string{"explain", "session", node, other}, one: true},
		{name: "explain route", args: []string{"explain", "route", block.String()}, one: true},
		{name: "explain route --to", args: []string{"explain", "route", block.String(), "--to", other}, one: true},
		{name: "explain node", args: []string{"explain", "node", node}, one: true},
		{name: "explain pod", args: []string{"explain", "pod", block.Addr().Next().String()}},
		{name: "doctor", args: []string{"doctor"}},
		{name: "plan, the mesh or a reflector goes", args: []string{"plan", "-f", change}},
	}
}

// measureQuestions asks them of clusters of the largest size, and writes a table of
// medians: of those about one node, with how often as much CPU they take as render.
func measureQuestions(w io.Writer, o options) error {
	n := slices.Max(o.sizes)
	fmt.Fprintf(w, "\nQuestions about %d nodes, from files:\n\n| cluster | command | wall s | CPU s | RSS MB | CPU against render |\n|%s\n", n, " --- | --- | --- | --- | --- | --- |")
	for _, c := range []struct {
		name    string
		cluster *testenv.Cluster
		change  testenv.Object
	}{
		{"mesh", testenv.Mesh(n), testenv.Object{
			APIVersion: "projectcalico.org/v3", Kind: "BGPConfiguration", Metadata: testenv.Metadata{Name: "default"},
			Spec: testenv.BGPConfigurationSpec{ASNumber: 64512},
		}},
		{"route reflectors", testenv.RouteReflectors(n), testenv.Object{
			APIVersion: "projectcalico.org/v3", Kind: "Node", Metadata: testenv.Metadata{Name: testenv.NodeName(reflectorNode)},
			Spec: testenv.NodeSpec{BGP: testenv.NodeBGP{IPv4Address: testenv.NodeAddress(reflectorNode).String() + "/9"}},
		}},
	} {
		if !o.only.MatchString("questions " + c.name) {
			continue
		}
		dir, err := os.MkdirTemp(o.work, "questions")
		if err != nil {
			return err
		}
		change := filepath.Join(o.work, "change.yaml")
		if err := errors.Join(c.cluster.WriteYAML(dir), testenv.WriteYAML(change, []testenv.Object{c.change})); err != nil {
			return err
		}
		if err := ask(w, o, c.name, dir, questions(n, change)); err != nil {
			return err
		}
	}
	return nil
}

func ask(w io.Writer, o options, cluster, dir string, list []question) error {
	var render float64
	for _, q := range list {
		fmt.Fprintf(os.Stderr, "bench: %s, %s\n", cluster, q.name)
		var all []usage
		for range o.runs {
			u, err := askOnce(o, dir, q)
			if err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			all = append(all, u)
		}
		seconds := func(of func(usage) time.Duration) float64 {
			return median(all, func(u usage) float64 { return of(u).Seconds() })
		}
		cpu, ratio := seconds(func(u usage) time.Duration { return u.cpu }), ""
		if render == 0 {
			render = cpu
		}
		if q.one {
			ratio = fmt.Sprintf("%.1f", cpu/render)
		}
		fmt.Fprintf(w, "| %s | %s | %.2f | %.2f | %.0f | %s |\n", cluster, q.name, seconds(func(u usage) time.Duration { return u.wall }), cpu,
			median(all, func(u usage) float64 { return float64(u.rss) / 1e6 }), ratio)
	}
	return nil
}

// askOnce runs one command. That it ends with what the doctor has found is no error.
func askOnce(o options, dir string, q question) (usage, error) {
	cmd := exec.Command(o.confd, append(slices.Clone(q.args), "--log-level", "error", "--data", dir, "--node", testenv.NodeName(plainNode))...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Stdout = io.Discard
	u, err := measured(cmd)
	exit := (*exec.ExitError)(nil)
	if errors.As(err, &exit) && exit.ExitCode() > 2 {
		err = nil
	}
	if err != nil {
		return u, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	return u, nil
}

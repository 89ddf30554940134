package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"confd/internal/testenv"
)

// goldenNodes is how many nodes the case has whose golden checks are measured, each
// with goldenBirds.
const (
	goldenNodes = 1000
	goldenBirds = `["1.6.8", "2.0.12", "3.1.8"]`
)

// goldenRun is one run of confd test, of a case that is as it says.
type goldenRun struct {
	name string
	args []string
	// prepare makes the case so; fails says that not all is as wanted then.
	prepare func(dir string) error
	fails   bool
}

func goldenRuns() []goldenRun {
	nothing := func(string) error { return nil }
	return []goldenRun{
		{name: "--update, nothing is wanted yet", args: []string{"--update"}, prepare: func(dir string) error { return os.RemoveAll(filepath.Join(dir, "want")) }},
		{name: "--update, all is as wanted", args: []string{"--update"}, prepare: nothing},
		{name: "all is as wanted", prepare: nothing},
		{name: "every file differs", prepare: otherAS, fails: true},
	}
}

// measureGolden measures golden checks without BIRD's part in them, and writes a
// table. All of o.runs are of one case, which the first run writes the files of.
func measureGolden(w io.Writer, o options) error {
	programs := []string{o.confd}
	if o.against != "" {
		programs = append(programs, o.against)
	}
	fmt.Fprintf(w, "\nGolden checks of %d nodes and 3 versions of BIRD:\n\n| cluster | run |", goldenNodes)
	for range programs {
		fmt.Fprint(w, " wall s | CPU s | RSS MB |")
	}
	if o.against != "" {
		fmt.Fprint(w, " wall | CPU | RSS |")
	}
	fmt.Fprintf(w, "\n|%s\n", strings.Repeat(" --- |", 2+3*len(programs)+3*(len(programs)-1)))
	for _, c := range []struct {
		name    string
		cluster *testenv.Cluster
	}{{"mesh", testenv.PeerMesh(goldenNodes)}, {"route reflectors", testenv.RouteReflectors(goldenNodes)}} {
		if !o.only.MatchString("golden " + c.name) {
			continue
		}
		var costs [][]usage // by program, then by run
		for _, program := range programs {
			all, err := measureGoldenOf(o, program, c.name, c.cluster)
			if err != nil {
				return err
			}
			costs = append(costs, all)
		}
		for i, run := range goldenRuns() {
			printGolden(w, c.name, run.name, costs, i)
		}
	}
	return nil
}

// measureGoldenOf measures the runs of one program.
func measureGoldenOf(o options, program, name string, cluster *testenv.Cluster) ([]usage, error) {
	dir, err := os.MkdirTemp(o.work, "golden")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := writeGoldenCase(dir, cluster); err != nil {
		return nil, err
	}
	var out []usage
	for _, r := range goldenRuns() {
		fmt.Fprintf(os.Stderr, "bench: golden checks, %s, %s, %s\n", name, program, r.name)
		if err := r.prepare(dir); err != nil {
			return nil, err
		}
		u, err := runGolden(program, dir, r)
		if err != nil {
			return nil, fmt.Errorf("%s test, %s: %w", program, r.name, err)
		}
		out = append(out, u)
	}
	return out, nil
}

func runGolden(program, dir string, r goldenRun) (usage, error) {
	cmd := exec.Command(program, append([]string{"test", "--check", "never", dir}, r.args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	u, err := measured(cmd)
	exit := (*exec.ExitError)(nil)
	if r.fails && errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		return u, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	return u, nil
}

// writeGoldenCase makes a case of all nodes of a cluster. It lists them, so that
// any build of the program can read it.
func writeGoldenCase(dir string, cluster *testenv.Cluster) error {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if err := cluster.WriteYAML(data); err != nil {
		return err
	}
	var names []string
	for i := range goldenNodes {
		names = append(names, strconv.Quote(testenv.NodeName(i)))
	}
	text := fmt.Sprintf("nodes = [%s]\nbird = %s\n", strings.Join(names, ", "), goldenBirds)
	return os.WriteFile(filepath.Join(dir, "case.toml"), []byte(text), 0o644)
}

// otherAS gives the case's cluster another AS number, which is in every session.
func otherAS(dir string) error {
	file := filepath.Join(dir, "data", "bgpconfiguration.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, bytes.ReplaceAll(text, []byte("64512"), []byte("64999")), 0o644)
}

func printGolden(w io.Writer, cluster, run string, costs [][]usage, i int) {
	figures := func(u usage) []float64 {
		return []float64{u.wall.Seconds(), u.cpu.Seconds(), float64(u.rss) / 1e6}
	}
	fmt.Fprintf(w, "| %s | %s |", cluster, run)
	for _, c := range costs {
		for _, f := range figures(c[i]) {
			fmt.Fprintf(w, " %.1f |", f)
		}
	}
	for _, before := range costs[1:] {
		now := figures(costs[0][i])
		for k, f := range figures(before[i]) {
			fmt.Fprintf(w, " 1/%.1f |", f/now[k])
		}
	}
	fmt.Fprintln(w)
}

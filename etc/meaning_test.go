package etc_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kyaml "sigs.k8s.io/yaml"

	"confd/backends"
	"confd/bgp"
	"confd/etc"
	"confd/internal/testenv"
	"confd/templates"
)

// meaning is what a cluster means for one node, as the built-in templates say it.
type meaning struct {
	name string
	// row is what docs/calico-node.md says about it, where it does.
	row row
	// cluster is YAML beside the nodes a (10.9.0.1/24) and b (10.9.0.2/24); a
	// node of the same name takes their place.
	cluster string
	// node is the one that is asked, a where empty.
	node    string
	options func(*bgp.Options)
	// want are parts of the text for every BIRD, in order; without are not in it.
	// Runs of spaces count as one.
	want, without []string
	// problems are parts of what is said about the input, one each.
	problems []string
	// workloads are local ones that take part in BGP.
	workloads []backends.EndpointStatus
	// fork is set where only Calico's fork of BIRD 1.6 can do it.
	fork bool
}

// row is a row of a table: some input, and what it means here.
type row struct{ input, here string }

// twoNodes are the nodes of each meaning.
const twoNodes = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: b}, spec: {bgp: {ipv4Address: 10.9.0.2/24}}}
---
`

// TestMeanings renders clusters as people have them for each BIRD, which checks
// them.
func TestMeanings(t *testing.T) {
	for _, m := range meanings() {
		t.Run(m.name, func(t *testing.T) { m.test(t) })
	}
}

func (m meaning) test(t *testing.T) {
	cfg, state := m.compute(t)
	m.compareProblems(t, cfg)
	for _, version := range testenv.BirdVersions() {
		if m.fork && version[0] != '1' {
			continue
		}
		files, err := render(cfg, state, version)
		if err != nil {
			t.Fatalf("BIRD %s: %v", version, err)
		}
		if missing := m.missing(files); missing != "" {
			t.Errorf("BIRD %s: %s in\n%s", version, missing, bytes.Join(datas(files), nil))
		}
		if !m.fork {
			checkFiles(t, version, files)
		}
	}
}

func (m meaning) compute(t *testing.T) (*bgp.Config, *backends.State) {
	t.Helper()
	state := stateOf(t, twoNodes+m.cluster)
	for _, w := range m.workloads {
		state.EndpointStatuses[w.Name] = &w
	}
	o := bgp.Options{Node: "a", SecretNamespace: "kube-system"}
	if m.node != "" {
		o.Node = m.node
	}
	if m.options != nil {
		m.options(&o)
	}
	cfg, err := bgp.Compute(state, o)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, state
}

// stateOf reads YAML documents as an API server, etcd or a file holds them; of
// two with one name the last counts.
func stateOf(t *testing.T, text string) *backends.State {
	t.Helper()
	s := backends.NewState()
	for document := range strings.SplitSeq(text, "\n---\n") {
		data, err := kyaml.YAMLToJSON([]byte(document))
		if err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		if string(data) == "null" {
			continue
		}
		var meta struct{ APIVersion, Kind string }
		if err := kyaml.Unmarshal(data, &meta); err != nil {
			t.Fatal(err)
		}
		s.Apply(eventOf(t, meta.APIVersion, backends.Kind(meta.Kind), data))
	}
	return s
}

func eventOf(t *testing.T, apiVersion string, kind backends.Kind, data []byte) backends.Event {
	t.Helper()
	if kind == backends.KindNode && apiVersion == "v1" {
		n, err := backends.DecodeKubernetesNode(data)
		if err != nil {
			t.Fatal(err)
		}
		return backends.Event{Key: n.ResourceKey(), Resource: n}
	}
	r, err := backends.Decode(kind, "", data)
	if r != nil {
		return backends.Event{Key: r.ResourceKey(), Resource: r, Err: err}
	}
	var named struct{ Metadata struct{ Name string } }
	if jsonErr := kyaml.Unmarshal(data, &named); jsonErr != nil {
		t.Fatal(errors.Join(err, jsonErr))
	}
	return backends.Event{Key: backends.Key{Kind: kind, Name: named.Metadata.Name}, Err: err}
}

// render gives the files for a BIRD, in the order of their names.
func render(cfg *bgp.Config, state *backends.State, version string) ([]templates.File, error) {
	folder, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		return nil, err
	}
	engine, err := templates.Load(folder, templates.Options{Node: cfg.Node})
	if err != nil {
		return nil, err
	}
	v, err := templates.ParseVersion(version)
	if err != nil {
		return nil, err
	}
	return engine.Render(context.Background(), templates.Input{Config: cfg, State: state, Version: v})
}

func datas(files []templates.File) [][]byte {
	var all [][]byte
	for _, f := range files {
		all = append(all, f.Data)
	}
	return all
}

// missing says what is not as it should be in the files.
func (m meaning) missing(files []templates.File) string {
	text := strings.Join(strings.Fields(withoutComments(bytes.Join(datas(files), nil))), " ")
	rest := text
	for _, want := range m.want {
		_, after, found := strings.Cut(rest, want)
		if !found {
			return "no " + want
		}
		rest = after
	}
	for _, without := range m.without {
		if strings.Contains(text, without) {
			return "a " + without
		}
	}
	return ""
}

// withoutComments leaves out what the BIRDs do.
func withoutComments(text []byte) string {
	return regexp.MustCompile(`(?m)  # .*$`).ReplaceAllString(string(text), "")
}

func (m meaning) compareProblems(t *testing.T, cfg *bgp.Config) {
	t.Helper()
	var got []string
	for _, p := range cfg.Problems {
		got = append(got, p.Object.String()+" "+p.Text)
	}
	same := len(got) == len(m.problems)
	for i := range got {
		same = same && strings.Contains(got[i], m.problems[i])
	}
	if !same {
		t.Errorf("what is said about it (-want +got, the wanted are parts):\n%s", cmp.Diff(m.problems, got))
	}
}

// checkFiles has each daemon's own parser read the files.
func checkFiles(t *testing.T, version string, files []templates.File) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		file := filepath.Join(dir, f.Dest)
		if err := os.WriteFile(file, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		if f.Daemon == "bird6" {
			testenv.CheckConfig6(t, version, file)
		} else {
			testenv.CheckConfig(t, version, file)
		}
	}
}

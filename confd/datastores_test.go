package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/backends/typha/typhatest"
	"confd/internal/inbox"
	"confd/internal/settings"
	"confd/internal/testenv"
	"confd/templates"
)

// long makes the tests with random input go on for minutes.
var long = flag.Bool("long", false, "many more random clusters and changes")

// seed makes another series of clusters.
var seed = flag.Uint64("seed", 1, "of the tests with random input")

const kubeUser = "confd"

// way is one datastore that holds the cluster, with a program that follows it.
type way struct {
	name     string
	settings settings.Settings
	node     *node
	in       *inbox.Inbox
	updates  <-chan backends.Update
	typha    bool // it hears of the cluster through Typha
}

// TestDatastoresSayTheSame gives random clusters by way of etcd, Kubernetes
// (both API groups), either through Typha, and files. After each series of changes a program that has
// followed them, one that is started then, and the cluster itself give the same
// bytes, whatever the datastore.
func TestDatastoresSayTheSame(t *testing.T) {
	clusters := 30
	switch {
	case *long:
		clusters = 300
	case testing.Short():
		clusters = 3
	}
	k := testenv.StartKube(t, testenv.KubeUsers(kubeUser))
	k.InstallRBAC(t, kubeUser)
	for _, group := range testenv.CalicoGroups() {
		k.InstallCRDs(t, group)
	}
	e := testenv.StartEtcd(t)
	toKube, toEtcd, dir := newKubeWriter(t, k), newEtcdWriter(t, e), t.TempDir()
	statuses := endpointStatuses(t)
	writeCluster(t, dir, cluster{})
	server := startTypha(t, typhatest.Options{})
	toTypha := newTyphaWriter(server)
	ways := startWays(t, statuses, k.Kubeconfig(t, kubeUser), e, server.Address(), dir)

	g := generator{rand.New(rand.NewPCG(*seed, 1))}
	now, sessions := cluster{}, 0
	for i := range clusters {
		next := g.cluster()
		changes := g.changesTo(now, next)
		writeAll(t, changes, toKube.write)
		writeAll(t, changes, toEtcd.write)
		writeCluster(t, dir, next)
		toTypha.write(t, throughTypha(next))
		now = next
		wanted := map[bool]string{false: renderedText(ways[0].node, stateOf(t, now)), true: renderedText(ways[0].node, stateOf(t, throughTypha(now)))}
		var fresh errgroup.Group
		texts := make([]string, len(ways))
		for j, w := range ways {
			w.follow(t, fmt.Sprintf("cluster %d", i), wanted[w.typha])
			fresh.Go(func() error {
				state, err := gatherOnce(t.Context(), w.settings, slog.New(slog.DiscardHandler))
				if err == nil {
					texts[j] = renderedText(w.node, state)
				}
				return err
			})
		}
		if err := fresh.Wait(); err != nil {
			t.Fatal(err)
		}
		for j, w := range ways {
			if want := wanted[w.typha]; texts[j] != want {
				t.Fatalf("seed %d, cluster %d, a fresh start with %s (-cluster +datastore):\n%s", *seed, i, w.name, cmp.Diff(want, texts[j]))
			}
		}
		sessions += strings.Count(wanted[false], "\nprotocol bgp ")
	}
	if sessions < 3*clusters {
		t.Errorf("%d clusters with %d sessions, which proves little", clusters, sessions)
	}
	t.Logf("%d clusters with %d sessions", clusters, sessions)
}

// endpointStatuses makes a folder of workloads that take part in BGP.
func endpointStatuses(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 12 {
		name := filepath.Join(dir, "endpoint-status", fmt.Sprintf("w%d", i))
		put(t, name, fmt.Sprintf(`{"ifaceName":"cali%d","ipv4Nets":["10.8.0.%d/32"],"ipv6Nets":["fd08::%x/128"],"bgpPeerName":"p%d"}`, i, i+1, i+1, i))
	}
	return dir
}

// startWays starts a program for each datastore.
func startWays(t *testing.T, statuses, kubeconfig string, e *testenv.Etcd, typha, dir string) []*way {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("a backend ended with %v", err)
		}
	})
	confdir := keyTemplates(t)
	add := func(name string, change func(*settings.Settings)) *way {
		s := settings.Settings{
			Node: "node-1", NodeRef: "node-1", BGP: settings.BGP{EndpointStatusPrefix: statuses},
			Kubernetes: settings.Kubernetes{Namespace: "kube-system", Kubeconfig: kubeconfig, QPS: 1000, Burst: 1000},
			Templates:  settings.Templates{ConfDir: confdir, Prefix: "/calico", Owner: -1, Group: -1},
			Timing:     settings.Timing{SyncTimeout: time.Minute},
		}
		change(&s)
		return startWay(t, ctx, g, name, s)
	}
	through := func(w *way) *way { w.typha = true; return w }
	return []*way{
		through(add("Typha and etcd", func(s *settings.Settings) {
			s.Datastore, s.Etcd, s.Typha = settings.DatastoreEtcd, settings.Etcd{Endpoints: e.Endpoints()}, settings.Typha{Addr: typha}
		})),
		through(add("Typha and Kubernetes", func(s *settings.Settings) {
			s.Datastore, s.Typha = settings.DatastoreKubernetes, settings.Typha{Addr: typha}
		})),
		add("etcd", func(s *settings.Settings) {
			s.Datastore, s.Etcd = settings.DatastoreEtcd, settings.Etcd{Endpoints: e.Endpoints()}
		}),
		add("crd.projectcalico.org/v1", func(s *settings.Settings) {
			s.Datastore, s.Kubernetes.APIGroup = settings.DatastoreKubernetes, "crd.projectcalico.org/v1"
		}),
		add("projectcalico.org/v3", func(s *settings.Settings) {
			s.Datastore, s.Kubernetes.APIGroup = settings.DatastoreKubernetes, "projectcalico.org/v3"
		}),
		add("files", func(s *settings.Settings) { s.Datastore, s.Data = settings.DatastoreFile, []string{dir} }),
	}
}

func startWay(t *testing.T, ctx context.Context, g *errgroup.Group, name string, s settings.Settings) *way {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	n, err := newNode(s, log)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := newSources(s, log)
	if err != nil {
		t.Fatal(err)
	}
	return &way{name: name, settings: s, node: n, in: inbox.New(sources, inboxOptions(s, log)), updates: inbox.Start(ctx, g, sources)}
}

// follow takes what comes until that gives the wanted text.
func (w *way) follow(t *testing.T, what, want string) {
	t.Helper()
	got := ""
	for deadline := time.After(time.Minute); ; {
		select {
		case u := <-w.updates:
			w.in.Take(u)
			continue
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("seed %d, %s: the program that follows %s does not come to what it should (missing: %v; -cluster +program):\n%s",
				*seed, what, w.name, w.in.Missing(), cmp.Diff(want, got))
		}
		if w.in.Complete() {
			if got = renderedText(w.node, w.in.State()); got == want {
				return
			}
		}
	}
}

// stateOf is the state that the cluster should give.
func stateOf(t *testing.T, c cluster) *backends.State {
	t.Helper()
	s, checker := backends.NewState(), backends.NewChecker()
	for k, r := range c {
		if a, ok := r.(*backends.BlockAffinity); ok && a.Node != "node-1" {
			continue
		}
		text, err := encoded(r)
		if err != nil {
			t.Fatal(err)
		}
		e, _ := checker.Event(k.Kind, k.Name, text)
		e.Key = k
		s.Apply(e)
	}
	for i := range 12 {
		r := &backends.EndpointStatus{Name: fmt.Sprintf("w%d", i), Interface: fmt.Sprintf("cali%d", i),
			IPv4: addr("10.8.0.%d", i+1), IPv6: addr("fd08::%x", i+1), BGPPeer: fmt.Sprintf("p%d", i)}
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return s
}

// renderedText is a state in all that is made of it: the files for each BIRD,
// and the key tree; or why there are none.
func renderedText(n *node, s *backends.State) string {
	cfg, err := n.Compute(s)
	if err != nil {
		return err.Error()
	}
	var b bytes.Buffer
	for _, version := range []string{"1.6.8", "2.0.12", "3.1.8"} {
		v, err := templates.ParseVersion(version)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, "#### BIRD %s\n", version)
		files, err := n.Render(context.Background(), cfg, s, v)
		if err != nil {
			fmt.Fprintln(&b, err)
		}
		for _, f := range files {
			fmt.Fprintf(&b, "### %s\n%s", f.Dest, f.Data)
		}
	}
	var problems []string
	for _, p := range cfg.Problems {
		// etcd's affinities have no names.
		if p.Object.Kind != backends.KindBlockAffinity {
			problems = append(problems, fmt.Sprintf("%s: %s\n", p.Object, said(p.Object, p.Text)))
		}
	}
	slices.Sort(problems)
	return b.String() + strings.Join(problems, "")
}

// keyTemplates is a folder with the program's own templates, and one that
// prints the key tree.
func keyTemplates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testenv.Root(t), "etc", "confd"))); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "conf.d", "keys.toml"), "[template]\nsrc = \"keys.template\"\ndest = \"/tmp/keys\"\nkeys = [\"/\"]\n")
	var text strings.Builder
	for _, root := range []string{"/bgp/v1", "/v1/ipam", "/ipam/v2/host/node-1", "/staticroutes", "/staticroutesv6", "/rejectcidrs", "/rejectcidrsv6", "/resources"} {
		for depth := range 6 {
			fmt.Fprintf(&text, "{{range gets \"%s%s\"}}{{.Key}}: {{.Value}}\n{{end}}", root, strings.Repeat("/*", depth+1))
		}
	}
	put(t, filepath.Join(dir, "templates", "keys.template"), text.String())
	return dir
}

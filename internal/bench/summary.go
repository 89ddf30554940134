package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"confd/internal/testenv"
)

// part is a part of the one table.
type part struct {
	name    string
	measure func() ([]work, error)
}

// The parts, by name. The first three are of one table.
const (
	etcdPart        = "etcd"
	establishedPart = "etcd, 2,000 sessions up"
	kubernetesPart  = "Kubernetes"
	typhaPart       = "Typha"
	calicoPart      = "Calico"
)

func parts(o options, etcd *etcdServer) []part {
	return []part{
		{etcdPart, func() ([]work, error) { return changesFromEtcd(o, etcd) }},
		{establishedPart, func() ([]work, error) { return measureEstablished(o, etcd) }},
		{kubernetesPart, func() ([]work, error) { return changesFromKubernetes(o) }},
		{typhaPart, func() ([]work, error) { return measureStores(o, etcd) }},
		{calicoPart, func() ([]work, error) { return measureBeside(o, etcd) }},
	}
}

// summary is what was measured, by part.
type summary struct {
	o     options
	parts map[string][]work
	load  string // of the machine, when it began
}

// measureSummary prints, in a few tables, what changes, starts and single runs cost in
// large clusters, beside another build where there is one: those parts whose names are
// asked for. What was measured before something failed is printed too. With o.update the
// tables are put where the documentation has them.
func measureSummary(w io.Writer, o options, etcd *etcdServer) error {
	s := summary{o: o, parts: map[string][]work{}, load: load()}
	for _, p := range parts(o, etcd) {
		if !o.only.MatchString(p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: from %s\n", p.name)
		list, err := p.measure()
		if err != nil {
			s.print(w)
			return fmt.Errorf("%s: %w", p.name, err)
		}
		s.parts[p.name] = list
	}
	s.print(w)
	if o.update == "" {
		return nil
	}
	for _, p := range parts(o, etcd) {
		if s.parts[p.name] == nil {
			return fmt.Errorf("not written to the documentation, as %s was not measured", p.name)
		}
	}
	return updateDocs(o.update, s.tables())
}

// load is how busy the machine was in the last minutes.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// changesFromEtcd measures both builds in the mesh in etcd.
func changesFromEtcd(o options, etcd *etcdServer) ([]work, error) {
	if err := etcd.replace(testenv.DualMesh(changesNodes).EtcdKeys()); err != nil {
		return nil, err
	}
	return contest(o, benchCase{nodes: changesNodes, node: testenv.NodeName(quietNode)}, etcd.store(), etcdChanges(etcd))
}

// changesFromKubernetes measures both builds in the cluster in Kubernetes.
func changesFromKubernetes(o options) (list []work, err error) {
	err = withKubernetes(o, func(k *kubeCluster, config string) error {
		s := store{name: "Kubernetes", args: []string{"--datastore", "kubernetes", "--kubeconfig", config}}
		cases := k.cases()
		var changes []changeCase
		for _, c := range cases[:len(cases)-1] { // the last one is heartbeats: thousands of changes
			changes = append(changes, changeCase{strings.TrimPrefix(c.name, kubeName), !c.unaffected, c.add})
		}
		list, err = contest(o, cases[0].benchCase, s, changes)
		return err
	})
	return list, err
}

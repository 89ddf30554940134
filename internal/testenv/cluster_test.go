package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClustersOf5000Nodes(t *testing.T) {
	const n = 5000
	for name, c := range map[string]*Cluster{"mesh": Mesh(n), "route reflectors": RouteReflectors(n)} {
		t.Run(name, func(t *testing.T) {
			addresses := map[string]bool{}
			for _, o := range c.Objects {
				if spec, ok := o.Spec.(NodeSpec); ok {
					addresses[spec.BGP.IPv4Address] = true
				}
			}
			if len(addresses) != n {
				t.Errorf("%d different addresses for %d nodes", len(addresses), n)
			}
			if keys := c.EtcdKeys(); len(keys) != len(c.Objects) {
				t.Errorf("%d objects have %d keys in etcd", len(c.Objects), len(keys))
			}
		})
	}
}

func TestAClusterAsItIsStored(t *testing.T) {
	c := RouteReflectors(101)
	dir := t.TempDir()
	if err := c.WriteYAML(dir); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"node.yaml":             "kind: Node\nmetadata:\n  labels:\n    rack: r01\n    route-reflector: \"true\"\n  name: node-00100\nspec:\n  bgp:\n    ipv4Address: 10.0.0.101/9\n    routeReflectorClusterID: 192.0.2.2\n",
		"blockaffinity.yaml":    "cidr: 10.128.0.64/26",
		"bgppeer.yaml":          "nodeSelector: rack == 'r00' && !has(route-reflector)",
		"bgpconfiguration.yaml": "nodeToNodeMeshEnabled: false",
		"ippool.yaml":           "cidr: 10.128.0.0/9",
	} {
		got, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: %v: no %q in\n%.500s", file, err, want, got)
		}
	}
	keys := c.EtcdKeys()
	for key, want := range map[string]string{
		"/calico/resources/v3/projectcalico.org/nodes/node-00002":          `"labels":{"rack":"r00"}`,
		"/calico/ipam/v2/host/node-00100/ipv4/block/10.128.25.0-26":        `{"state":"confirmed","deleted":false}`,
		"/calico/resources/v3/projectcalico.org/bgpconfigurations/default": `"asNumber":64512`,
	} {
		if !strings.Contains(keys[key], want) {
			t.Errorf("%s is %q, which lacks %s", key, keys[key], want)
		}
	}
}

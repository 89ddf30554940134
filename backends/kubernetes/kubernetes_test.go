package kubernetes

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/internal/testenv"
)

// TestServer shares one API server, which has no definitions of Calico's at
// first.
func TestServer(t *testing.T) {
	t.Parallel()
	k := testenv.StartKube(t, testenv.KubeUsers(user, "nobody"))
	k.InstallRBAC(t, user)
	t.Run("group installed later", func(t *testing.T) { groupInstalledLater(t, k) })
	t.Run("v3", func(t *testing.T) { readsEverything(t, k, GroupV3) })
	k.InstallCRDs(t, GroupV1)
	t.Run("v1", func(t *testing.T) { readsEverything(t, k, GroupV1) })
	t.Run("usage, v1", func(t *testing.T) { usage(t, k, GroupV1) })
	t.Run("usage, v3", func(t *testing.T) { usage(t, k, GroupV3) })
	t.Run("both groups", func(t *testing.T) { prefersV1(t, k) })
	t.Run("FelixConfigurations alone", func(t *testing.T) { felixAlone(t, k) })
	t.Run("endpoints of a Service", func(t *testing.T) { serviceEndpoints(t, k) })
	t.Run("pod CIDRs", func(t *testing.T) { podCIDRs(t, k) })
	t.Run("bad objects", func(t *testing.T) { badObjects(t, k) })
	t.Run("secrets", func(t *testing.T) { secrets(t, k) })
	t.Run("services only while needed", func(t *testing.T) { servicesWhileNeeded(t, k) })
	t.Run("model of services", func(t *testing.T) { servicesModel(t, k) })
	t.Run("no rights", func(t *testing.T) { noRights(t, k) })
	t.Run("optional kind", func(t *testing.T) { optionalKind(t, k) })
	t.Run("definition removed", func(t *testing.T) { definitionRemoved(t, k) })
	t.Run("odd answers", func(t *testing.T) { oddAnswers(t, k) })
	t.Run("comes back piecemeal", func(t *testing.T) { comesBackPiecemeal(t, k) })
	t.Run("silence", func(t *testing.T) { silence(t, k) })
}

func groupInstalledLater(t *testing.T, k *testenv.Kube) {
	apply(t, k, node("node-1", ""))
	f := follow(t, k, Config{CalicoResources: true})
	f.untilError("no API group crd.projectcalico.org/v1, and no API group projectcalico.org/v3")
	f.until("the node", func() bool { return f.state.Nodes["node-1"] != nil })
	k.InstallCRDs(t, GroupV3)
	f.untilInSync()
}

func readsEverything(t *testing.T, k *testenv.Kube, group string) {
	deleted := map[string]string{GroupV1: `"true"`, GroupV3: "true"}[group]
	affinity := func(name, spec string) string { return calico(group, "BlockAffinity", name, spec) }
	realName := `{apiVersion: ` + group + `, kind: BGPFilter, metadata: {name: f-hash, annotations: {projectcalico.org/metadata: '{"name":"Real.Name"}'}}, spec: {}}`
	apply(t, k,
		node("node-1", `, labels: {rack: a}, annotations: {projectcalico.org/IPv4Address: 10.0.0.1/24, projectcalico.org/ASNumber: "65001", other: x}`),
		node("node-2", ""),
		calico(group, "BGPConfiguration", "default", "asNumber: 64999"),
		calico(group, "BGPConfiguration", "node.node-2", "listenPort: 1790"),
		calico(group, "BGPConfiguration", "other", "listenPort: 1791"),
		peer(group, "p1", "10.1.0.1"), peer(group, "p2", "10.1.0.2"),
		calico(group, "IPPool", "pool", "cidr: 192.168.0.0/16"),
		affinity("ours", "node: node-1, cidr: 192.168.1.0/26, state: confirmed, deleted: "+deleted),
		affinity("theirs", "node: node-2, cidr: 192.168.2.0/26, state: confirmed"),
		affinity("virtual", "node: node-1, cidr: 192.168.3.0/26, type: virtual"),
		calico(group, "FelixConfiguration", "default", "programClusterRoutes: Enabled"),
		calico(group, "FelixConfiguration", "node.node-1", "programClusterRoutes: Disabled"),
		calico(group, "FelixConfiguration", "node.node-2", "programClusterRoutes: Disabled"),
		realName)
	f := follow(t, k, Config{CalicoResources: true, APIGroup: group})
	f.untilInSync()

	s := f.state
	for _, c := range []struct{ what, got, want string }{
		{"nodes", names(s.Nodes), "node-1 node-2"},
		{"configurations", names(s.BGPConfigurations), "default node.node-2"},
		{"peers", names(s.BGPPeers), "p1 p2"},
		{"pools", names(s.IPPools), "pool"},
		{"affinities", names(s.BlockAffinities), "ours"},
		{"Felix configurations", names(s.FelixConfigurations), "default node.node-1"},
		{"filters", names(s.BGPFilters), "Real.Name"},
		{"services", names(maps.Collect(s.Services.All())), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
	if n := s.Nodes["node-1"]; n.ASNumber != 65001 || n.Labels["rack"] != "a" || n.IPv4.Subnet != netip.MustParsePrefix("10.0.0.0/24") {
		t.Errorf("node-1 is %+v", n)
	}
	if !s.BlockAffinities["ours"].Deleted {
		t.Error("the affinity is not deleted")
	}

	f.forget()
	k.Apply(t, docs(peer(group, "p3", "10.1.0.3"), calico(group, "BGPConfiguration", "default", "asNumber: 65000")))
	k.Delete(t, docs(peer(group, "p1", ""), realName))
	t.Cleanup(func() { k.Delete(t, docs(peer(group, "p3", ""))) })
	f.until("the changes", func() bool {
		return peersOf(s) == "p2 p3" && len(s.BGPFilters) == 0 && s.BGPConfigurations["default"].ASNumber == 65000
	})
	// The affinity goes to another node, and another one comes to us.
	k.Apply(t, docs(affinity("ours", "node: node-2, cidr: 192.168.1.0/26"), affinity("theirs", "node: node-1, cidr: 192.168.2.0/26")))
	f.until("the affinities to change hands", func() bool { return names(s.BlockAffinities) == "theirs" })
	// What does not matter is not told.
	f.forget()
	k.Apply(t, docs(node("node-2", ", annotations: {heartbeat: now}")))
	k.Apply(t, docs(node("node-2", ", annotations: {heartbeat: now}, labels: {rack: b}")))
	f.until("the label", func() bool { return s.Nodes["node-2"].Labels["rack"] == "b" })
	if len(f.events) != 1 {
		t.Errorf("an annotation that does not matter made an event: %v", f.keys())
	}
}

func prefersV1(t *testing.T, k *testenv.Kube) {
	apply(t, k, peer(GroupV1, "one", "10.1.0.1"), peer(GroupV3, "three", "10.1.0.3"))
	f := follow(t, k, Config{CalicoResources: true})
	f.untilInSync()
	if got := peersOf(f.state); got != "one" {
		t.Errorf("peers are %q", got)
	}
}

func podCIDRs(t *testing.T, k *testenv.Kube) {
	withCIDR := func(name, cidrs string) string {
		return `{apiVersion: v1, kind: Node, metadata: {name: ` + name + `}, spec: {podCIDRs: [` + cidrs + `]}}`
	}
	apply(t, k, withCIDR("node-2", "10.2.0.0/24"), node("node-1", ""),
		calico(GroupV3, "BlockAffinity", "b", "node: node-1, cidr: 10.9.0.0/26"))
	f := follow(t, k, Config{CalicoResources: true, APIGroup: GroupV3, UsePodCIDR: true})
	f.untilInSync()
	if len(f.state.BlockAffinities) != 0 || len(f.state.Nodes) != 2 || len(f.state.Nodes["node-1"].PodCIDRs) != 0 {
		t.Errorf("affinities %v, nodes %v", names(f.state.BlockAffinities), names(f.state.Nodes))
	}
	k.Apply(t, docs(withCIDR("node-1", `10.1.0.0/24, "fd00:1::/64"`)))
	f.until("nets", func() bool {
		return slices.Equal(f.state.Nodes["node-1"].PodCIDRs, []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("fd00:1::/64")})
	})
	k.Delete(t, docs(node("node-1", "")))
	f.until("no node", func() bool { return f.state.Nodes["node-1"] == nil && f.state.Nodes["node-2"] != nil })
}

func badObjects(t *testing.T, k *testenv.Kube) {
	apply(t, k,
		node("node-1", `, annotations: {projectcalico.org/IPv4Address: nonsense, projectcalico.org/ASNumber: "65001"}`),
		peer(GroupV3, "bad", "not-an-ip"), peer(GroupV3, "good", "10.1.0.1"),
		calico(GroupV3, "BlockAffinity", "nobodys", "cidr: 10.9.0.0/26"),
		calico(GroupV3, "IPPool", "large", "cidr: 10.0.0.0/16, junk: "+strings.Repeat("x", 1_000_000)))
	f := follow(t, k, Config{CalicoResources: true, APIGroup: GroupV3})
	f.untilInSync()
	s := f.state
	if n := s.Nodes["node-1"]; n.IPv4.Addr.IsValid() || n.ASNumber != 65001 {
		t.Errorf("node is %+v", n)
	}
	if got := names(s.Invalid); got != "BGPPeer bad BlockAffinity nobodys" {
		t.Errorf("invalid are %s", got)
	}
	if peersOf(s) != "good" || s.IPPools["large"] == nil {
		t.Errorf("peers %s, pools %s", peersOf(s), names(s.IPPools))
	}
	k.Apply(t, docs(peer(GroupV3, "bad", "10.1.0.9")))
	f.until("the bad peer to heal", func() bool { return peersOf(s) == "bad good" && len(s.Invalid) == 1 })
}

func secrets(t *testing.T, k *testenv.Kube) {
	apply(t, k, secret("one", "first"))
	f := follow(t, k, Config{})
	f.untilInSync() // nothing is needed
	if f.last.Serves == nil || len(f.last.Serves.Secrets) != 0 {
		t.Errorf("serves %+v", f.last.Serves)
	}
	both := backends.Needs{Secrets: []backends.Key{secretKey("one"), secretKey("two")}}
	f.backend.Need(both)
	f.until("both to be settled", func() bool { return f.last.Serves.Covers(both) })
	if got := f.state.Secrets[secretKey("one")]; got == nil || got.Data["password"] != "first" || len(f.state.Secrets) != 1 {
		t.Errorf("secrets are %s", names(f.state.Secrets))
	}
	apply(t, k, secret("two", "later"))
	k.Apply(t, docs(secret("one", "second"), secret("three", "other")))
	f.until("the changes", func() bool {
		one, two := f.state.Secrets[secretKey("one")], f.state.Secrets[secretKey("two")]
		return one != nil && one.Data["password"] == "second" && two != nil
	})
	k.Delete(t, docs(secret("one", "")))
	f.until("one to be gone", func() bool { return names(f.state.Secrets) == "Secret kube-system/two" })
	f.backend.Need(backends.Needs{})
	f.until("nothing to be left", func() bool { return len(f.state.Secrets) == 0 && f.last.Serves.Equal(backends.Needs{}) })

	// Names of others' making ask for nothing else.
	odd := backends.Needs{Secrets: []backends.Key{secretKey("x,metadata.name=three"), secretKey("../../default/secrets")}}
	f.backend.Need(odd)
	f.until("odd names to be settled", func() bool { return f.last.Serves.Covers(backends.Needs{Secrets: odd.Secrets[:1]}) })
	if len(f.state.Secrets) != 0 {
		t.Errorf("secrets are %s", names(f.state.Secrets))
	}
}

func servicesWhileNeeded(t *testing.T, k *testenv.Kube) {
	f := follow(t, k, Config{})
	f.untilInSync()
	apply(t, k, serviceObject("s", false, "10.0.9.9"), sliceObject("s-1", "s", true, "node-1"))
	f.backend.Need(backends.Needs{Services: true})
	f.until("services", func() bool { return f.last.Serves.Services })
	key := backends.Key{Kind: backends.KindService, Namespace: "default", Name: "s"}
	if s, _ := f.state.Services.Get(key); s == nil || s.Local || f.state.EndpointSlices.Len() == 0 {
		t.Errorf("services are %s, slices %s", names(maps.Collect(f.state.Services.All())), names(maps.Collect(f.state.EndpointSlices.All())))
	}
	f.backend.Need(backends.Needs{})
	f.until("no services", func() bool { return f.state.Services.Len()+f.state.EndpointSlices.Len() == 0 })
	if !f.last.InSync {
		t.Error("not in step without services")
	}
}

// noRights has a user who may read nothing.
func noRights(t *testing.T, k *testenv.Kube) {
	f := follow(t, k, Config{Kubeconfig: k.Kubeconfig(t, "nobody"), CalicoResources: true, APIGroup: GroupV3})
	f.untilError("403 Forbidden")
	apply(t, k, secret("one", "hidden"))
	needs := backends.Needs{Secrets: []backends.Key{secretKey("one")}}
	f.backend.Need(needs)
	f.until("the secret to be known as unreadable", func() bool { return f.last.Serves.Covers(needs) })
	if err := f.state.Invalid[secretKey("one")]; err == nil || !strings.Contains(err.Error(), "cannot be read") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("the reason is %v", err)
	}
	if f.last.InSync {
		t.Error("in step without rights")
	}
	k.InstallRBAC(t, "nobody")
	f.untilInSync()
	f.until("the secret", func() bool { return f.state.Secrets[secretKey("one")] != nil && len(f.state.Invalid) == 0 })
}

// optionalKind has a server without BGPFilters.
func optionalKind(t *testing.T, k *testenv.Kube) {
	k.Delete(t, docs(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: bgpfilters.projectcalico.org}}`))
	f := follow(t, k, Config{CalicoResources: true, APIGroup: GroupV3})
	f.untilInSync()
	k.InstallCRDs(t, GroupV3)
	apply(t, k, calico(GroupV3, "BGPFilter", "f", ""))
	f.until("the filter", func() bool { return f.state.BGPFilters["f"] != nil })
	if !f.last.InSync {
		t.Error("not in step")
	}
}

// definitionRemoved takes away the definitions, which deletes all objects.
func definitionRemoved(t *testing.T, k *testenv.Kube) {
	k.Apply(t, docs(peer(GroupV3, "a", "10.1.0.1"), peer(GroupV3, "b", "10.1.0.2"), calico(GroupV3, "BGPFilter", "f", "")))
	f := follow(t, k, Config{CalicoResources: true, APIGroup: GroupV3})
	f.untilInSync()
	k.RemoveCRDs(t, GroupV3)
	f.until("being out of step", func() bool { return !f.last.InSync && f.last.Err != nil })
	f.quiet(2 * time.Second)
	if peersOf(f.state) != "a b" || len(f.state.BGPFilters) != 1 || f.last.InSync {
		t.Errorf("peers are %q, filters %q", peersOf(f.state), names(f.state.BGPFilters))
	}
	k.InstallCRDs(t, GroupV3)
	k.Apply(t, docs(peer(GroupV3, "b", "10.1.0.2")))
	f.until("what there is now", func() bool { return peersOf(f.state) == "b" && f.last.InSync })
}

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"confd/backends"
	"confd/bgp"
	"confd/internal/settings"
	"confd/internal/testenv"
)

// servicesRig is a program that follows an API server.
type servicesRig struct {
	t      *testing.T
	w      *way
	writer kubeWriter
	config *backends.BGPConfiguration
}

// TestServiceRoutes follows Services and EndpointSlices on a real API server.
func TestServiceRoutes(t *testing.T) {
	k := testenv.StartKube(t, testenv.KubeUsers(kubeUser))
	k.InstallRBAC(t, kubeUser)
	k.InstallCRDs(t, "crd.projectcalico.org/v1")
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("a backend ended with %v", err)
		}
	})
	r := &servicesRig{t: t, writer: newKubeWriter(t, k), w: startWay(t, ctx, g, "Kubernetes", settings.Settings{
		Node: "node-1", NodeRef: "node-1", Datastore: settings.DatastoreKubernetes, BGP: settings.BGP{EndpointStatusPrefix: t.TempDir()},
		Kubernetes: settings.Kubernetes{Namespace: "kube-system", Kubeconfig: k.Kubeconfig(t, kubeUser)},
		Templates:  settings.Templates{ConfDir: "/nonexistent", Prefix: "/calico", Owner: -1, Group: -1},
	})}
	r.set(&backends.Node{Name: "node-1", IPv4: backends.NodeAddress{Addr: addr("10.1.0.1")}, IPv6: backends.NodeAddress{Addr: addr("fd01::1")}})
	t.Run("what Calico gets wrong", r.stories)
	t.Run("random changes", r.random)
}

// set writes a resource.
func (r *servicesRig) set(resources ...backends.Resource) {
	r.t.Helper()
	for _, res := range resources {
		object, err := kubeObject(res, "crd.projectcalico.org/v1")
		if err == nil {
			err = r.writer.set(res.ResourceKey(), "crd.projectcalico.org/v1", object)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if c, ok := res.(*backends.BGPConfiguration); ok {
			r.config = c
		}
	}
}

func (r *servicesRig) remove(resources ...backends.Resource) {
	r.t.Helper()
	for _, res := range resources {
		k := res.ResourceKey()
		if err := r.writer.remove(k, "crd.projectcalico.org/v1", k.Name); err != nil {
			r.t.Fatal(err)
		}
	}
}

// stories are told one after the other; each step says what single addresses
// are advertised after it.
func (r *servicesRig) stories(t *testing.T) {
	r.set(&backends.BGPConfiguration{Name: "default", ServiceExternalIPs: []netip.Prefix{net1("192.0.2.0/24"), net1("198.51.100.1/32")},
		ServiceLoadBalancerIPs: []netip.Prefix{net1("203.0.113.0/24")}})
	local := func(name, external string) *backends.Service {
		return &backends.Service{Namespace: "default", Name: name, Type: "NodePort", Local: true, IPv4: true, ExternalIPs: []netip.Addr{addr("%s", external)},
			ClusterIPs: []netip.Addr{addr("10.0.0.%d", 200+len(name))}}
	}
	slice := func(name, service string, nodes ...string) *backends.EndpointSlice {
		return &backends.EndpointSlice{Namespace: "default", Name: name, Service: service, Ready: len(nodes) > 0, Nodes: nodes}
	}
	web, mail := local("web", "192.0.2.10"), local("mail", "192.0.2.10")
	balanced := &backends.Service{Namespace: "default", Name: "balanced", Type: "LoadBalancer", Local: true, IPv4: true, ClusterIPs: []netip.Addr{addr("10.0.0.220")}}
	ingress := func(a string) *backends.Service {
		s := *balanced
		s.LoadBalancerIPs = []netip.Addr{addr("%s", a)}
		return &s
	}
	everywhere := &backends.Service{Namespace: "default", Name: "everywhere", Type: "ClusterIP", IPv4: true, ClusterIPs: []netip.Addr{addr("10.0.0.221")}, ExternalIPs: []netip.Addr{addr("198.51.100.1")}}
	outside := &backends.Service{Namespace: "default", Name: "web", Type: "NodePort", IPv4: true, ClusterIPs: web.ClusterIPs, ExternalIPs: web.ExternalIPs}
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"a Service without slices", func() { r.set(web) }, ""},
		{"a slice with a name of its own", func() { r.set(slice("odd", "web", "node-1")) }, "192.0.2.10/32"},
		{"the last slice deleted", func() { r.remove(slice("odd", "")) }, ""},
		{"the Service written with no slices", func() { r.set(outside); r.set(web) }, ""},
		{"a slice again", func() { r.set(slice("other", "web", "node-1")) }, "192.0.2.10/32"},
		{"the Service written with a slice", func() { r.set(outside); r.set(web) }, "192.0.2.10/32"},
		{"externalTrafficPolicy Cluster", func() { r.set(outside) }, ""},
		{"and Local again", func() { r.set(web) }, "192.0.2.10/32"},
		{"a second slice", func() { r.set(slice("second", "web", "node-1", "node-2")) }, "192.0.2.10/32"},
		{"one of two not ready", func() { r.set(slice("other", "web")) }, "192.0.2.10/32"},
		{"the other one elsewhere", func() { r.set(slice("second", "web", "node-2")) }, ""},
		{"the first one ready again", func() { r.set(slice("other", "web", "node-1")) }, "192.0.2.10/32"},
		{"the other one deleted", func() { r.remove(slice("second", "")) }, "192.0.2.10/32"},
		{"a slice before its Service, with a shared address", func() { r.set(slice("m", "mail", "node-1")); r.set(mail) }, "192.0.2.10/32"},
		{"one of two that share an address deleted", func() { r.remove(web) }, "192.0.2.10/32"},
		{"and the other", func() { r.remove(mail) }, ""},
		{"the Service again, its slices still there", func() { r.set(web) }, "192.0.2.10/32"},
		{"a slice that changes over to another Service", func() { r.set(slice("other", "mail", "node-1")) }, ""},
		{"a load balancer without an address", func() { r.set(balanced, slice("b", "balanced", "node-1")) }, ""},
		{"its address", func() { r.set(ingress("203.0.113.5")) }, "203.0.113.5/32"},
		{"another address", func() { r.set(ingress("203.0.113.6")) }, "203.0.113.6/32"},
		{"one outside the ranges", func() { r.set(ingress("203.0.114.6")) }, ""},
		{"and back", func() { r.set(ingress("203.0.113.7")) }, "203.0.113.7/32"},
		{"no address", func() { r.set(balanced) }, ""},
		{"an address that the configuration names singly, and no slice", func() { r.set(everywhere) }, ""},
		{"a slice with no endpoint ready", func() { r.set(slice("e", "everywhere")) }, "198.51.100.1/32"},
		{"all gone", func() {
			r.remove(web, balanced, everywhere, slice("m", ""), slice("b", ""), slice("e", ""), slice("other", ""))
		}, ""},
	} {
		step.do()
		r.awaitServer(t)
		if got := r.singles(t); got != step.want {
			t.Errorf("%s: advertises %q, want %q", step.what, got, step.want)
		}
	}
}

// singles are the single addresses among the routes.
func (r *servicesRig) singles(t *testing.T) string {
	t.Helper()
	return strings.Join(slices.DeleteFunc(r.routes(t), func(n string) bool { return !strings.HasSuffix(n, "/32") && !strings.HasSuffix(n, "/128") }), " ")
}

// routes are the service routes of both families as computed from what has
// arrived.
func (r *servicesRig) routes(t *testing.T) []string {
	t.Helper()
	cfg, err := r.w.node.Compute(r.w.in.State())
	if err != nil {
		t.Fatal(err)
	}
	nets := []string{}
	for _, f := range cfg.Families() {
		for _, s := range f.Export.Services {
			nets = append(nets, s.Net.String())
		}
		for _, s := range f.Export.Services {
			if !slices.ContainsFunc(f.Statics, func(o bgp.StaticRoute) bool { return o.Net == s.Net }) {
				t.Errorf("%s is advertised, and no route", s.Net)
			}
		}
	}
	slices.Sort(nets)
	return nets
}

// random makes thousands of changes, and now and then compares what the program
// advertises then with what the server's own list gives.
func (r *servicesRig) random(t *testing.T) {
	total, batch := 10_000, 500
	switch {
	case *long:
		total = 50_000
	case testing.Short():
		total = 500
	}
	began, advertised := time.Now(), 0
	for done := 0; done < total; done += batch {
		g := generator{rand.New(rand.NewPCG(*seed, uint64(done)))}
		config := g.configuration()
		config.NodeMeshPassword = nil
		if g.chance(70) {
			config.ServiceExternalIPs = []netip.Prefix{net1("192.0.2.0/24"), net1("198.51.100.1/32"), net1("2001:db8::/64")}
			config.ServiceLoadBalancerIPs = []netip.Prefix{net1("203.0.113.0/24")}
		}
		r.set(config)
		r.set(g.labelled())
		r.change(t, done, batch)
		services, endpoints := r.awaitServer(t)
		want := r.advertised(services, endpoints)
		got := r.routes(t)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d, after %d changes (-function of the server's list +program):\n%s", *seed, done+batch, diff)
		}
		advertised += len(got)
	}
	t.Logf("%d changes in %s; %d routes at %d comparisons", total, time.Since(began).Round(time.Millisecond), advertised, total/batch)
	if advertised < total/batch {
		t.Error("too few to prove anything")
	}
}

// labelled is this node, which may be excluded.
func (g generator) labelled() *backends.Node {
	n := &backends.Node{Name: "node-1", Labels: map[string]string{}, IPv4: backends.NodeAddress{Addr: addr("10.1.0.1")}, IPv6: backends.NodeAddress{Addr: addr("fd01::1")}}
	if g.chance(10) {
		n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "true"
	}
	return n
}

// change makes a batch of changes with many writers at once, while the program
// takes what comes.
func (r *servicesRig) change(t *testing.T, stage, count int) {
	t.Helper()
	const writers = 10
	var all errgroup.Group
	for i := range writers {
		g := generator{rand.New(rand.NewPCG(*seed, uint64(stage*writers+i+1)))}
		all.Go(func() error {
			for range count / writers {
				if err := r.writer.write(g.step(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	written := make(chan error, 1)
	go func() { written <- all.Wait() }()
	for {
		select {
		case u := <-r.w.updates:
			r.w.in.Take(u)
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// step is a change of an object that only this writer changes.
func (g generator) step(writer int) change {
	const each = 4 // Services of a writer; there are twice as many slices
	s := g.service(writer*each + g.IntN(each))
	e := g.slice(writer*2*each + g.IntN(2*each))
	e.Service = fmt.Sprintf("svc-%d", g.IntN(10*each))
	if g.chance(70) {
		e.Service = fmt.Sprintf("svc-%d", writer*each+g.IntN(each))
	}
	switch g.IntN(6) {
	case 0:
		return change{key: s.ResourceKey()}
	case 1, 2:
		return change{s.ResourceKey(), s}
	case 3:
		return change{key: e.ResourceKey()}
	default:
		return change{e.ResourceKey(), e}
	}
}

// awaitServer waits until what has arrived is what the server has, and returns
// that.
func (r *servicesRig) awaitServer(t *testing.T) (services, endpoints []unstructured.Unstructured) {
	t.Helper()
	services, endpoints = r.list(t, backends.KindService), r.list(t, backends.KindEndpointSlice)
	want := backends.NewState()
	decode(t, want, backends.KindService, services)
	decode(t, want, backends.KindEndpointSlice, endpoints)
	labels := r.labels(t)
	decode(t, want, backends.KindBGPConfiguration, r.list(t, backends.KindBGPConfiguration))
	in := r.w.in
	same := func() bool {
		n := in.State().Nodes["node-1"]
		return in.Complete() && n != nil && maps.Equal(n.Labels, labels) &&
			reflect.DeepEqual(in.State().BGPConfigurations, want.BGPConfigurations) &&
			(!in.Needs().Services || reflect.DeepEqual(servicesOf(in.State()), servicesOf(want)) && reflect.DeepEqual(slicesOf(in.State()), slicesOf(want)))
	}
	for deadline := time.After(time.Minute); !same(); {
		select {
		case u := <-r.w.updates:
			in.Take(u)
		case <-deadline:
			t.Fatalf("what the server has does not arrive; missing %v; Services (-server +program):\n%s\nslices:\n%s", in.Missing(),
				cmp.Diff(servicesOf(want), servicesOf(in.State()), cmp.Comparer(equalAddr)), cmp.Diff(slicesOf(want), slicesOf(in.State()), cmp.Comparer(equalAddr)))
		}
	}
	return services, endpoints
}

// labels are those of the server's only node.
func (r *servicesRig) labels(t *testing.T) map[string]string {
	t.Helper()
	text, err := r.list(t, backends.KindNode)[0].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	n, err := backends.DecodeKubernetesNode(text)
	if err != nil {
		t.Fatal(err)
	}
	return n.Labels
}

func equalAddr(a, b netip.Addr) bool { return a == b }

func decode(t *testing.T, s *backends.State, kind backends.Kind, objects []unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		text, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		res, err := backends.Decode(kind, "", text)
		if err != nil {
			t.Fatal(err)
		}
		s.Apply(backends.Event{Key: res.ResourceKey(), Resource: res})
	}
}

func (r *servicesRig) list(t *testing.T, kind backends.Kind) []unstructured.Unstructured {
	t.Helper()
	list, err := r.writer.at(backends.Key{Kind: kind}, "crd.projectcalico.org/v1").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// advertised says anew, from the objects as they are, what node-1 is to
// advertise.
func (r *servicesRig) advertised(services, endpoints []unstructured.Unstructured) []string {
	nets := map[string]bool{}
	ranges := slices.Concat(r.config.ServiceClusterIPs, r.config.ServiceExternalIPs, r.config.ServiceLoadBalancerIPs)
	node := r.w.in.State().Nodes["node-1"]
	if len(ranges) == 0 || node.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] == "true" {
		return []string{}
	}
	for _, p := range r.config.ServiceClusterIPs {
		nets[p.String()] = true
	}
	for _, p := range r.config.ServiceExternalIPs {
		nets[p.String()] = nets[p.String()] || !p.IsSingleIP()
	}
	for _, p := range r.config.ServiceLoadBalancerIPs {
		nets[p.String()] = nets[p.String()] || !p.IsSingleIP() && !r.config.NoLoadBalancerAggregation
	}
	for _, s := range services {
		for _, a := range r.addressesOf(s, endpoints) {
			nets[a] = true
		}
	}
	maps.DeleteFunc(nets, func(_ string, yes bool) bool { return !yes })
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(nets))))
}

// addressesOf are the single addresses of one Service that are advertised.
func (r *servicesRig) addressesOf(s unstructured.Unstructured, endpoints []unstructured.Unstructured) []string {
	at := func(fields ...string) []string {
		list, _, _ := unstructured.NestedStringSlice(s.Object, fields...)
		return list
	}
	text := func(fields ...string) string {
		v, _, _ := unstructured.NestedString(s.Object, fields...)
		return v
	}
	cluster, external, balancers := at("spec", "clusterIPs"), at("spec", "externalIPs"), []string(nil)
	ingress, _, _ := unstructured.NestedSlice(s.Object, "status", "loadBalancer", "ingress")
	for _, i := range ingress {
		balancers = append(balancers, i.(map[string]any)["ip"].(string))
	}
	if !slices.ContainsFunc(endpoints, func(e unstructured.Unstructured) bool { return isOf(e, s) }) {
		return nil
	}
	anywhere, here := readiness(s.GetNamespace(), s.GetName(), at("spec", "ipFamilies"), endpoints)
	single := func(list []string, ranges []netip.Prefix) bool {
		return slices.ContainsFunc(list, func(a string) bool {
			return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr().String() == a })
		})
	}
	local := text("spec", "externalTrafficPolicy") == "Local"
	switch {
	case text("spec", "type") == "ExternalName", text("spec", "clusterIP") == "None":
		return nil
	case local && !here:
		return nil
	case !local && !single(external, r.config.ServiceExternalIPs) && !single(balancers, r.config.ServiceLoadBalancerIPs) &&
		(!r.config.NoLoadBalancerAggregation || !anywhere):
		return nil
	}
	var out []string
	add := func(list []string, within []netip.Prefix) {
		for _, a := range list {
			ip := netip.MustParseAddr(a)
			if slices.ContainsFunc(within, func(p netip.Prefix) bool { return p.Contains(ip) }) {
				out = append(out, netip.PrefixFrom(ip, ip.BitLen()).String())
			}
		}
	}
	if len(r.config.ServiceClusterIPs) > 0 {
		add(cluster, []netip.Prefix{net1("0.0.0.0/0"), net1("::/0")})
	}
	add(external, r.config.ServiceExternalIPs)
	add(balancers, r.config.ServiceLoadBalancerIPs)
	return out
}

// isOf says whether a slice is one of a Service's.
func isOf(slice, service unstructured.Unstructured) bool {
	return slice.GetNamespace() == service.GetNamespace() && slice.GetLabels()["kubernetes.io/service-name"] == service.GetName()
}

// readiness looks for a Service's ready endpoints: on any node, and on node-1.
func readiness(namespace, service string, families []string, endpoints []unstructured.Unstructured) (anywhere, here bool) {
	for _, e := range endpoints {
		family, _, _ := unstructured.NestedString(e.Object, "addressType")
		if e.GetNamespace() != namespace || e.GetLabels()["kubernetes.io/service-name"] != service || !slices.Contains(families, family) {
			continue
		}
		list, _, _ := unstructured.NestedSlice(e.Object, "endpoints")
		for _, one := range list {
			endpoint := one.(map[string]any)
			ready, found, _ := unstructured.NestedBool(endpoint, "conditions", "ready")
			if ready || !found {
				anywhere, here = true, here || endpoint["nodeName"] == "node-1"
			}
		}
	}
	return anywhere, here
}

func servicesOf(s *backends.State) map[backends.Key]*backends.Service {
	return maps.Collect(s.Services.All())
}

func slicesOf(s *backends.State) map[backends.Key]*backends.EndpointSlice {
	return maps.Collect(s.EndpointSlices.All())
}

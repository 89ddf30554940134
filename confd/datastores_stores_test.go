package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"confd/backends"
	"confd/internal/testenv"
)

// change is one step in the life of an object; nil: it goes.
type change struct {
	key      backends.Key
	resource backends.Resource
}

// writeAll makes changes, many at a time, but those of one object in their order.
func writeAll(t *testing.T, changes []change, one func(change) error) {
	t.Helper()
	byKey := map[backends.Key][]change{}
	for _, c := range changes {
		byKey[c.key] = append(byKey[c.key], c)
	}
	var g errgroup.Group
	g.SetLimit(16)
	for _, steps := range byKey {
		g.Go(func() error {
			for _, c := range steps {
				if err := one(c); err != nil {
					return fmt.Errorf("%s: %w", c.key, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// kubeWriter writes to an API server as its administrator.
type kubeWriter struct{ client dynamic.Interface }

func newKubeWriter(t *testing.T, k *testenv.Kube) kubeWriter {
	t.Helper()
	config := k.Config(t, "admin")
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return kubeWriter{client}
}

// at is where an API server has an object. Calico's kinds are in a group.
func (w kubeWriter) at(k backends.Key, group string) dynamic.ResourceInterface {
	of := func(group, version, plural string) dynamic.NamespaceableResourceInterface {
		return w.client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: plural})
	}
	switch k.Kind {
	case backends.KindNode:
		return of("", "v1", "nodes")
	case backends.KindService:
		return of("", "v1", "services").Namespace(k.Namespace)
	case backends.KindSecret:
		return of("", "v1", "secrets").Namespace(k.Namespace)
	case backends.KindEndpointSlice:
		return of("discovery.k8s.io", "v1", "endpointslices").Namespace(k.Namespace)
	}
	name, version, _ := strings.Cut(group, "/")
	return of(name, version, plural(k.Kind))
}

func plural(k backends.Kind) string {
	if k == backends.KindBlockAffinity {
		return "blockaffinities"
	}
	return strings.ToLower(string(k)) + "s"
}

// isCalicos says whether a kind is a custom resource.
func isCalicos(k backends.Kind) bool {
	switch k {
	case backends.KindNode, backends.KindService, backends.KindSecret, backends.KindEndpointSlice:
		return false
	}
	return true
}

// set makes an object be like this, whatever it was.
func (w kubeWriter) set(k backends.Key, group string, object map[string]any) error {
	at, name := w.at(k, group), (&unstructured.Unstructured{Object: object}).GetName()
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	apply := func() error {
		force := true
		_, err := at.Patch(context.Background(), name, types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "test", Force: &force})
		return err
	}
	err = apply()
	for range 50 { // a Service that is gone keeps its address a moment longer
		if err == nil || !strings.Contains(err.Error(), "already allocated") {
			break
		}
		time.Sleep(100 * time.Millisecond)
		err = apply()
	}
	if apierrors.IsInvalid(err) { // such as an empty spec in place of a full one
		if err = w.remove(k, group, name); err == nil {
			err = apply()
		}
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, data)
	}
	if k.Kind != backends.KindService {
		return nil
	}
	return w.setIngress(at, name, object["status"])
}

// setIngress writes a Service's status, which has a way of its own.
func (w kubeWriter) setIngress(at dynamic.ResourceInterface, name string, status any) error {
	if status == nil {
		status = map[string]any{"loadBalancer": map[string]any{"ingress": nil}}
	}
	data, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = at.Patch(context.Background(), name, types.MergePatchType, data, metav1.PatchOptions{}, "status")
	return err
}

func (w kubeWriter) remove(k backends.Key, group, name string) error {
	err := w.at(k, group).Delete(context.Background(), name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// write makes a change in the API server: of Calico's kinds in both groups.
func (w kubeWriter) write(c change) error {
	groups := []string{""}
	if isCalicos(c.key.Kind) {
		groups = testenv.CalicoGroups()
	}
	for _, group := range groups {
		var err error
		if c.resource == nil {
			err = w.remove(c.key, group, kubeName(c.key, group))
		} else {
			var object map[string]any
			if object, err = kubeObject(c.resource, group); err == nil {
				err = w.set(c.key, group, object)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kubeName is an object's name in the API server. Calico's older group cannot
// have every name, and keeps the real one beside: here, that of every filter.
func kubeName(k backends.Key, group string) string {
	if k.Kind == backends.KindBGPFilter && group == "crd.projectcalico.org/v1" {
		return "hash-of-" + k.Name
	}
	return k.Name
}

// kubeObject is a resource as the API server takes it.
func kubeObject(r backends.Resource, group string) (map[string]any, error) {
	text, err := encoded(r)
	if err != nil {
		return nil, err
	}
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	meta, spec := o["metadata"].(map[string]any), mapIn(o, "spec")
	switch r := plain(r).(type) {
	case *backends.Node:
		o["apiVersion"] = "v1"
		meta["annotations"] = nodeAnnotations(spec)
		moveLabels(meta)
		delete(o, "spec")
	case *backends.Service:
		completeService(r, spec)
	case *backends.EndpointSlice:
		o["endpoints"] = endpointsOf(r)
		o["ports"] = []any{}
	case *backends.Secret:
		o["data"] = secretData(r)
		delete(o, "stringData")
	default:
		o["apiVersion"] = group
		if name := kubeName(r.ResourceKey(), group); name != meta["name"] {
			meta["annotations"] = map[string]any{"projectcalico.org/metadata": fmt.Sprintf(`{"name":%q}`, meta["name"])}
			meta["name"] = name
		}
		if a, ok := r.(*backends.BlockAffinity); ok && group == "crd.projectcalico.org/v1" {
			spec["deleted"] = fmt.Sprint(a.Deleted)
		}
	}
	return o, nil
}

func mapIn(o map[string]any, key string) map[string]any {
	m, _ := o[key].(map[string]any)
	return m
}

// nodeAnnotations says what Calico's own Node has a spec for.
func nodeAnnotations(spec map[string]any) map[string]any {
	bgp, wireguard := mapIn(spec, "bgp"), mapIn(spec, "wireguard")
	all := map[string]any{"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
	for key, value := range map[string]any{
		"IPv4Address": bgp["ipv4Address"], "IPv6Address": bgp["ipv6Address"], "ASNumber": bgp["asNumber"],
		"RouteReflectorClusterID":    bgp["routeReflectorClusterID"],
		"IPv4WireguardInterfaceAddr": wireguard["interfaceIPv4Address"], "IPv6WireguardInterfaceAddr": wireguard["interfaceIPv6Address"],
	} {
		if number, ok := value.(float64); ok {
			value = fmt.Sprintf("%.0f", number)
		}
		if value != nil {
			all["projectcalico.org/"+key] = value
		}
	}
	return all
}

// moveLabels puts labels where calicoctl does: all but rack, for which there is
// a value that does not count.
func moveLabels(meta map[string]any) {
	inAnnotation, labels := map[string]any{"rack": "none"}, mapIn(meta, "labels")
	for k, v := range labels {
		if k != "rack" {
			inAnnotation[k] = v
			delete(labels, k)
		}
	}
	text, _ := json.Marshal(inAnnotation) // of texts, which cannot fail
	mapIn(meta, "annotations")["projectcalico.org/labels"] = string(text)
}

// completeService adds what the API asks for.
func completeService(s *backends.Service, spec map[string]any) {
	spec["ports"] = []any{map[string]any{"port": 80, "protocol": "TCP"}}
	spec["ipFamilyPolicy"] = "SingleStack"
	if s.IPv4 && s.IPv6 {
		spec["ipFamilyPolicy"] = "RequireDualStack"
	}
	if len(s.ClusterIPs) > 0 {
		spec["clusterIP"] = s.ClusterIPs[0].String()
	} else {
		spec["clusterIPs"] = []string{"None"}
	}
}

// endpointsOf are the ready endpoints of a slice, and one that is not.
func endpointsOf(s *backends.EndpointSlice) []any {
	endpoint := func(node string, ready any) any {
		e := map[string]any{"addresses": []string{"10.2.0.1"}}
		if s.IPv6 {
			e["addresses"] = []string{"fd02::1"}
		}
		if node != "" {
			e["nodeName"] = node
		}
		if ready != nil {
			e["conditions"] = map[string]any{"ready": ready}
		}
		return e
	}
	all := []any{endpoint("node-1", false)}
	for i, n := range s.Nodes {
		all = append(all, endpoint(n, []any{nil, true}[i%2]))
	}
	if s.Ready && len(s.Nodes) == 0 {
		all = append(all, endpoint("", true))
	}
	return all
}

func secretData(s *backends.Secret) map[string][]byte {
	data := map[string][]byte{}
	for k, v := range s.Data {
		data[k] = []byte(v)
	}
	return data
}

// etcdWriter writes Calico's kinds to etcd.
type etcdWriter struct{ kv *clientv3.Client }

func newEtcdWriter(t *testing.T, e *testenv.Etcd) etcdWriter {
	t.Helper()
	kv, err := clientv3.New(clientv3.Config{Endpoints: e.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return etcdWriter{kv}
}

// write makes a change, unless it is of a kind that etcd does not have.
func (w etcdWriter) write(c change) error {
	key, value, err := inEtcd(c)
	switch ctx := context.Background(); {
	case err != nil || key == "":
	case c.resource == nil:
		_, err = w.kv.Delete(ctx, key)
	default:
		_, err = w.kv.Put(ctx, key, value)
	}
	return err
}

// inEtcd is where and how etcd holds an object. The key is empty where it does
// not have the kind.
func inEtcd(c change) (key, value string, err error) {
	var text []byte
	switch c.key.Kind {
	case backends.KindService, backends.KindEndpointSlice, backends.KindSecret:
		return "", "", nil
	case backends.KindBlockAffinity:
		// The name says all: see affinityName.
		node, block, _ := strings.Cut(c.key.Name, ".")
		cidr := affinityCIDR(block)
		family := map[bool]string{true: "ipv4", false: "ipv6"}[cidr.Addr().Is4()]
		key = "/calico/ipam/v2/host/" + node + "/" + family + "/block/" + strings.Replace(cidr.String(), "/", "-", 1)
		if a, ok := c.resource.(*backends.BlockAffinity); ok {
			text, err = json.Marshal(map[string]any{"state": a.State, "deleted": a.Deleted})
		}
	default:
		key = "/calico/resources/v3/projectcalico.org/" + plural(c.key.Kind) + "/" + c.key.Name
		if c.resource != nil {
			text, err = encoded(c.resource)
		}
	}
	return key, string(text), err
}

// writeCluster puts the cluster into a folder, one file for each kind, and each
// file at once.
func writeCluster(t *testing.T, dir string, c cluster) {
	t.Helper()
	texts := map[backends.Kind]string{}
	for _, kind := range backends.Kinds() {
		texts[kind] = "" // also those that have gone
	}
	for _, k := range slices.SortedFunc(maps.Keys(c), backends.Key.Compare) {
		text, err := fileObject(c[k])
		if err != nil {
			t.Fatal(err)
		}
		texts[k.Kind] += "---\n" + string(text) + "\n"
	}
	for kind, text := range texts {
		path := filepath.Join(dir, plural(kind)+".yaml")
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
}

// fileObject is a resource as people save it: Kubernetes' kinds as kubectl
// prints them.
func fileObject(r backends.Resource) ([]byte, error) {
	switch r.(type) {
	case *backends.Service, *backends.EndpointSlice, *backends.Secret:
		o, err := kubeObject(r, "")
		if err != nil {
			return nil, err
		}
		return json.Marshal(o)
	}
	return encoded(r)
}

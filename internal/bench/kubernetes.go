package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"confd/internal/testenv"
)

// The Kubernetes cluster that is measured: a mesh. Each Service has five
// EndpointSlices.
const (
	kubeNodes    = 5000
	kubeServices = 2000
	kubeSlices   = 10000
)

const (
	kubeUser = "confd"
	calicoV1 = "crd.projectcalico.org/v1"
)

// kubeCluster writes to a real API server.
type kubeCluster struct {
	kube   *testenv.Kube
	client dynamic.Interface
}

// kubeCases are the changes that are measured. They are made in this order, all
// in the same cluster.
func (k *kubeCluster) cases() []struct {
	benchCase
	add func(run int) error
} {
	mesh := func(what string, unaffected bool) benchCase {
		return benchCase{name: kubeName + what, nodes: kubeNodes, node: testenv.NodeName(plainNode), unaffected: unaffected,
			change: func(int) []testenv.Object { return nil }}
	}
	return []struct {
		benchCase
		add func(run int) error
	}{
		{mesh("a node more", false), func(run int) error { return k.create(kubeNode(kubeNodes + run)) }},
		// Service 0 is ready on this node in its first slice alone.
		{mesh("an endpoint here", false), func(run int) error {
			return k.patch(sliceKind, "slice-00000", fmt.Sprintf(`{"endpoints":[%s]}`, endpoint(plainNode, run%2 == 1)))
		}},
		{mesh("an endpoint elsewhere", true), func(run int) error {
			return k.patch(sliceKind, "slice-00100", fmt.Sprintf(`{"endpoints":[%s]}`, endpoint(plainNode+1, run%2 == 1)))
		}},
		{mesh(heartbeats, true), k.heartbeats},
	}
}

const heartbeats = "a heartbeat of each node"

// kubeName begins the names of these cases.
const kubeName = "Kubernetes, 2,000 Services, 10,000 EndpointSlices: "

// measureKubernetes measures the cases whose names are asked for.
func measureKubernetes(o options) (results []result, err error) {
	if !o.only.MatchString(kubeName) {
		return nil, nil
	}
	err = withKubernetes(o, func(k *kubeCluster, config string) error {
		for _, c := range k.cases() {
			fmt.Fprintf(os.Stderr, "bench: %s\n", c.name)
			s := store{name: "Kubernetes", args: []string{"--datastore", "kubernetes", "--kubeconfig", config},
				add: func(run int, _ []testenv.Object) error { return c.add(run) }}
			r := result{benchCase: c.benchCase, store: s.name}
			if r.oneShot, err = measureOneShot(o, c.benchCase, s); err != nil {
				return err
			}
			if err = measureDaemon(o, c.benchCase, s, &r); err != nil {
				return err
			}
			results = append(results, r)
		}
		return nil
	})
	return results, err
}

// withKubernetes gives an API server with the cluster to use, and how to get at it.
func withKubernetes(o options, use func(k *kubeCluster, config string) error) error {
	t := &tb{work: o.work}
	return t.run(func() error {
		k, err := fillKubernetes(t)
		if err != nil {
			return err
		}
		return use(k, k.kube.Kubeconfig(t, kubeUser))
	})
}

// fillKubernetes starts an API server, and fills it.
func fillKubernetes(t *tb) (*kubeCluster, error) {
	k := &kubeCluster{kube: testenv.StartKube(t, testenv.KubeUsers(kubeUser))}
	k.kube.InstallRBAC(t, kubeUser)
	k.kube.InstallCRDs(t, calicoV1)
	config := k.kube.Config(t, "admin")
	config.WarningHandler = rest.NoWarnings{}
	var err error
	if k.client, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "bench: filling the API server")
	began := time.Now()
	objects := []string{
		`{"apiVersion":"` + calicoV1 + `","kind":"IPPool","metadata":{"name":"workloads"},"spec":{"cidr":"10.128.0.0/9"}}`,
		`{"apiVersion":"` + calicoV1 + `","kind":"BGPConfiguration","metadata":{"name":"default"},"spec":{"serviceExternalIPs":[{"cidr":"192.0.0.0/16"}]}}`,
		`{"apiVersion":"` + calicoV1 + `","kind":"BlockAffinity","metadata":{"name":"block"},"spec":{"node":"` + testenv.NodeName(plainNode) + `","cidr":"10.128.0.0/26","state":"confirmed"}}`,
	}
	for i := range kubeNodes {
		objects = append(objects, kubeNode(i))
	}
	for i := range kubeServices {
		objects = append(objects, kubeService(i))
	}
	for i := range kubeSlices {
		objects = append(objects, kubeSlice(i))
	}
	err = parallel(len(objects), func(i int) error { return k.create(objects[i]) })
	fmt.Fprintf(os.Stderr, "bench: filled with %d objects in %s\n", len(objects), time.Since(began).Round(time.Second))
	return k, err
}

func parallel(n int, do func(i int) error) error {
	var next atomic.Int64
	var g errgroup.Group
	for range 16 {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// kubeNode is a Node of some 5 kB.
func kubeNode(i int) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q,"labels":{"kubernetes.io/hostname":%[1]q},"annotations":{"projectcalico.org/IPv4Address":"%s/9","ballast":%q}}}`,
		testenv.NodeName(i), testenv.NodeAddress(i), strings.Repeat("x", 4096))
}

func kubeService(i int) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Service","metadata":{"name":"svc-%05d"},
		"spec":{"type":"NodePort","externalTrafficPolicy":"Local","externalIPs":["192.0.%d.%d"],"ports":[{"port":80}]}}`, i, i/250, 1+i%250)
}

func kubeSlice(i int) string {
	service, node := i/(kubeSlices/kubeServices), plainNode+i
	return fmt.Sprintf(`{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"slice-%05d","labels":{"kubernetes.io/service-name":"svc-%05d"}},
		"addressType":"IPv4","ports":[],"endpoints":[%s]}`, i, service, endpoint(node%kubeNodes, true))
}

// endpoint is one on a node.
func endpoint(node int, ready bool) string {
	return fmt.Sprintf(`{"addresses":["10.130.0.1"],"conditions":{"ready":%v},"nodeName":%q}`, ready, testenv.NodeName(node))
}

const sliceKind = "endpointslices"

// at is where objects of a kind are, by the plural of its name.
func (k *kubeCluster) at(plural string) dynamic.ResourceInterface {
	group, version, _ := strings.Cut(calicoV1, "/")
	resource := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	switch plural {
	case "nodes":
		return k.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: plural})
	case "services":
		return k.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: plural}).Namespace("default")
	case sliceKind:
		return k.client.Resource(schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: plural}).Namespace("default")
	case "blockaffinitys":
		resource.Resource = "blockaffinities"
	}
	return k.client.Resource(resource)
}

func (k *kubeCluster) create(text string) error {
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		return err
	}
	var err error
	for range createTries {
		if _, err = k.at(strings.ToLower(o.GetKind())+"s").Create(context.Background(), o, metav1.CreateOptions{}); err == nil || apierrors.IsAlreadyExists(err) {
			return nil
		}
		time.Sleep(time.Second)
	}
	return fmt.Errorf("create %s %s: %w", o.GetKind(), o.GetName(), err)
}

// createTries is how often an object is created: on a slow disk etcd times out, and may
// have it all the same.
const createTries = 10

func (k *kubeCluster) patch(plural, name, text string) error {
	if _, err := k.at(plural).Patch(context.Background(), name, types.MergePatchType, []byte(text), metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("patch %s %s: %w", plural, name, err)
	}
	return nil
}

// heartbeats changes what does not matter of every Node.
func (k *kubeCluster) heartbeats(run int) error {
	return parallel(kubeNodes, func(i int) error {
		return k.patch("nodes", testenv.NodeName(i), fmt.Sprintf(`{"metadata":{"annotations":{"heartbeat":"%d"}}}`, run))
	})
}

package main_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/internal/testenv"
)

const (
	kubeUser = "confd"
	groupV1  = "crd.projectcalico.org/v1"
	groupV3  = "projectcalico.org/v3"
)

// TestEndToEndKubernetes drives the program with the rights of the manifests,
// on real API servers.
func TestEndToEndKubernetes(t *testing.T) {
	runScenarios(t,
		scenario{"live, " + strings.ReplaceAll(groupV1, "/", " "), func(t *testing.T, confd string) { testKubernetesLive(t, confd, groupV1) }},
		scenario{"live, " + strings.ReplaceAll(groupV3, "/", " "), func(t *testing.T, confd string) { testKubernetesLive(t, confd, groupV3) }},
		scenario{"API server away", testKubernetesAway},
		scenario{"passwords", testKubernetesPasswords},
		scenario{"definitions removed", testKubernetesDefinitionsRemoved},
		scenario{"beside etcd", testKubernetesBesideEtcd},
		scenario{"outages", testKubernetesOutages},
	)
}

// kubeRig is a rig with an API server.
type kubeRig struct {
	*rig
	kube  *testenv.Kube
	group string
}

// newKubeRig makes a rig whose API server holds the nodes 1 to n and a pool.
func newKubeRig(t *testing.T, confd, group string, n int) *kubeRig {
	t.Helper()
	r := &kubeRig{rig: newRig(t, confd, oldBIRD), kube: testenv.StartKube(t, testenv.KubeUsers(kubeUser)), group: group}
	r.lab = testenv.NewLab(t, host("a", 1))
	r.kube.InstallRBAC(t, kubeUser)
	r.kube.InstallCRDs(t, group)
	r.env["DATASTORE_TYPE"], r.env["KUBECONFIG"] = "kubernetes", r.kube.Kubeconfig(t, kubeUser)
	r.apply(r.calico(pool("Never")))
	for i := 1; i <= n; i++ {
		r.apply(kubeNode(i))
	}
	return r
}

func (r *kubeRig) apply(objects ...string) {
	r.t.Helper()
	r.kube.Apply(r.t, []byte(strings.Join(objects, "\n---\n")))
}

func (r *kubeRig) delete(objects ...string) {
	r.t.Helper()
	r.kube.Delete(r.t, []byte(strings.Join(objects, "\n---\n")))
}

// calico is an object in the rig's API group.
func (r *kubeRig) calico(o object) string {
	return strings.Replace(o.json(), "projectcalico.org/v3", r.group, 1)
}

func kubeNode(n int, more ...string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: node-%d, annotations: {projectcalico.org/IPv4Address: 10.0.0.%d/24, projectcalico.org/IPv6Address: "fd00::%x/64"%s}}}`,
		n, n, n, strings.Join(more, ""))
}

func kubeSecret(password string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: bgp, namespace: kube-system}, stringData: {password: %q}}`, password)
}

// awaitConf waits until BIRD's file has the text, or no longer has it.
func (r *rig) awaitConf(text string, has bool) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("%q in the file: %v", text, has), func() bool {
		return strings.Contains(readFile(r.t, r.conf()), text) == has
	})
}

// awaitSessions waits until BIRD has these sessions, besides the mesh.
func (r *rig) awaitSessions(names ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("the sessions %v", names), func() bool {
		got := slices.DeleteFunc(r.sessions(), func(s string) bool { return strings.HasPrefix(s, "Mesh_") })
		return slices.Equal(got, names)
	})
}

// keeps fails where the file changes, or BIRD is reconfigured, in a while.
func (r *rig) keeps(what string, while func()) {
	r.t.Helper()
	reloads := -1
	for n := r.reconfigured(); n != reloads; n = r.reconfigured() { // the last change may be on its way yet
		reloads = n
		time.Sleep(time.Second)
	}
	before := readFile(r.t, r.conf())
	while()
	if readFile(r.t, r.conf()) != before || r.reconfigured() != reloads {
		r.t.Errorf("%s changed the configuration", what)
	}
}

func testKubernetesLive(t *testing.T, confd, group string) {
	r := newKubeRig(t, confd, group, 3)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.awaitMesh(2, 3)
	r.apply(kubeNode(4))
	r.awaitMesh(2, 3, 4)
	r.delete(kubeNode(2))
	r.awaitMesh(3, 4)
	r.apply(r.calico(peer("outside", `{"node":"node-1","peerIP":"10.0.0.50","asNumber":65001}`)))
	r.awaitSessions("Node_10_0_0_50")
	r.apply(r.calico(object{kind: "BGPConfiguration", name: "default", spec: `{"nodeToNodeMeshEnabled":false,"serviceExternalIPs":[{"cidr":"192.0.2.0/24"}]}`}))
	r.awaitMeshGone()
	const service = `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: NodePort, externalTrafficPolicy: Local, externalIPs: [192.0.2.10], ports: [{port: 80}]}}`
	const slice = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: odd, labels: {kubernetes.io/service-name: web}},
		addressType: IPv4, endpoints: [{addresses: [10.2.0.1], nodeName: node-1}], ports: []}`
	r.apply(service, slice)
	r.awaitConf("192.0.2.10/32", true)
	r.delete(slice)
	r.awaitConf("192.0.2.10/32", false)
	r.keeps("a heartbeat", func() {
		r.apply(kubeNode(4, ", heartbeat: now"))
		time.Sleep(2 * time.Second)
	})
	c.stop()
	r.awaitSessions("Node_10_0_0_50")
}

func (r *rig) awaitMeshGone() {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "the mesh to be gone", func() bool {
		return !slices.ContainsFunc(r.sessions(), func(s string) bool { return strings.HasPrefix(s, "Mesh_") })
	})
}

// testKubernetesAway has the store change behind the back of an API server that
// is not running, and forget what it was before.
func testKubernetesAway(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 3)
	one, two := peer("one", `{"peerIP":"10.0.0.51","asNumber":65001}`), peer("two", `{"peerIP":"10.0.0.52","asNumber":65001}`)
	r.apply(r.calico(one), r.calico(two))
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.awaitSessions("Global_10_0_0_51", "Global_10_0_0_52")
	c.awaitOutput("msg=applied", "state=confirmed")
	r.keeps("an API server that is away", func() {
		r.kube.Kill()
		c.awaitOutput("level=WARN", "datastore is out of step")
		time.Sleep(3 * time.Second)
	})
	store := r.kubeStore()
	const peers = "/registry/crd.projectcalico.org/bgppeers/"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := store.Get(ctx, peers+"two")
	if err != nil || len(got.Kvs) != 1 {
		t.Fatalf("the store has no BGPPeer two: %v", err)
	}
	if _, err := store.Put(ctx, peers+"two", strings.ReplaceAll(string(got.Kvs[0].Value), "10.0.0.52", "10.0.0.53")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Delete(ctx, peers+"one"); err != nil {
		t.Fatal(err)
	}
	r.kube.Compact(t)
	r.kube.Restart()
	r.awaitSessions("Global_10_0_0_53")
	c.awaitOutputs(2, "datastore is in step", "source=kubernetes")
	r.apply(kubeNode(4))
	r.awaitConf("Mesh_10_0_0_4", true)
	r.kube.Pause()
	r.keeps("an API server that hangs", func() { c.awaitOutputs(2, "level=WARN", "datastore is out of step") })
	r.kube.Resume()
	r.delete(kubeNode(4))
	r.awaitConf("Mesh_10_0_0_4", false)
	c.stop()
}

// kubeStore is a client of the API server's own etcd.
func (r *kubeRig) kubeStore() *clientv3.Client {
	r.t.Helper()
	kv, err := clientv3.New(clientv3.Config{Endpoints: r.kube.Etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { kv.Close() })
	return kv
}

const readSecrets = `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: confd-passwords-confd, namespace: kube-system}}`

func testKubernetesPasswords(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 1)
	r.apply(r.calico(peer("guarded", `{"peerIP":"10.0.0.50","asNumber":65001,"password":{"secretKeyRef":{"name":"bgp","key":"password"}}}`)))
	c := r.start("--log-level", "debug")
	r.awaitFiles()
	r.startBirds()
	r.awaitSessions("Global_10_0_0_50")
	c.awaitOutput("level=WARN", "Secret kube-system/bgp", "does not exist")
	r.apply(kubeSecret("first-hunter2"))
	r.awaitConf(`password "first-hunter2"`, true)
	r.apply(kubeSecret("second-hunter2"))
	r.awaitConf(`password "second-hunter2"`, true)
	r.keeps("a Secret that may no longer be read", func() {
		r.delete(readSecrets)
		r.kube.Restart() // which ends the watch
		c.awaitOutput("Secret kube-system/bgp", "403 Forbidden")
		time.Sleep(3 * time.Second)
	})
	r.apply(kubeSecret("third-hunter2"))
	r.kube.InstallRBAC(t, kubeUser)
	r.awaitConf(`password "third-hunter2"`, true)
	r.delete(kubeSecret(""))
	r.awaitConf("password", false)
	c.stop()
	if strings.Contains(c.output(), "hunter2") {
		t.Error("a password is in the log")
	}
}

func testKubernetesDefinitionsRemoved(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 2)
	one := r.calico(peer("one", `{"peerIP":"10.0.0.51","asNumber":65001}`))
	two := r.calico(peer("two", `{"peerIP":"10.0.0.52","asNumber":65001}`))
	r.apply(one, two)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.awaitSessions("Global_10_0_0_51", "Global_10_0_0_52")
	c.awaitOutput("msg=applied", "state=confirmed")
	r.keeps("the removal of the definitions", func() {
		r.kube.RemoveCRDs(t, groupV1)
		c.awaitOutput("level=WARN", "datastore is out of step")
		time.Sleep(5 * time.Second)
	})
	r.kube.InstallCRDs(t, groupV1)
	r.apply(two, r.calico(pool("Never")))
	r.awaitSessions("Global_10_0_0_52")
	c.awaitOutputs(2, "datastore is in step", "source=kubernetes")
	c.stop()
}

// testKubernetesBesideEtcd has Calico's resources in etcd, and passwords and
// Services in the API server.
func testKubernetesBesideEtcd(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 0)
	delete(r.env, "DATASTORE_TYPE")
	r.addEtcd()
	r.put(mesh(2)...)
	r.put(peer("guarded", `{"peerIP":"10.0.0.50","asNumber":65001,"password":{"secretKeyRef":{"name":"bgp","key":"password"}}}`))
	r.apply(kubeSecret("hunter2"))
	c := r.start()
	r.awaitFiles()
	if !strings.Contains(readFile(t, r.conf()), `password "hunter2"`) {
		t.Error("the first file has no password")
	}
	r.startBirds()
	r.awaitSessions("Global_10_0_0_50")
	r.kube.Kill()
	c.awaitOutput("level=WARN", "datastore is out of step", "source=kubernetes")
	r.put(node(3, 0)) // etcd goes on
	r.awaitConf("Mesh_10_0_0_3", true)
	r.awaitConf(`password "hunter2"`, true)
	r.kube.Restart()
	r.apply(kubeSecret("hunter3"))
	r.awaitConf(`password "hunter3"`, true)
	c.stop()
}

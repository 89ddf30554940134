package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

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
		scenario{"live", testKubernetesLive},
		scenario{"beside etcd", testKubernetesBesideEtcd},
		scenario{"outages", testKubernetesOutages},
		scenario{"events of the node", testNodeEvents},
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

func testKubernetesLive(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV3, 3)
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
	c.stop()
	r.awaitSessions("Node_10_0_0_50")
}

func (r *rig) awaitMeshGone() {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "the mesh to be gone", func() bool {
		return !slices.ContainsFunc(r.sessions(), func(s string) bool { return strings.HasPrefix(s, "Mesh_") })
	})
}

// testNodeEvents has Kubernetes told of what is quarantined, as soon as the program may
// tell it.
func testNodeEvents(t *testing.T, confd string) {
	r := newKubeRig(t, confd, groupV1, 2)
	files := ownTemplates(oldBIRD)
	files["templates/main"] = strings.Replace(files["templates/main"], "  multihop;\n", fmt.Sprintf("  multihop;{{if eq .AS %d}} and what no BIRD takes{{end}}\n", badAS), 1)
	r.useTemplates(files)
	r.env["CONFD_NODE_EVENTS"] = "true"
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.apply(r.calico(routerPeer(1, badAS)))
	c.awaitOutput("level=WARN", "not told of this as an Event", "403")
	r.kube.InstallRBAC(t, kubeUser, "overlays/node-events")
	r.apply(r.calico(routerPeer(2, badAS)))
	testenv.Eventually(t, patience, "an Event of the Node", func() bool {
		return strings.Contains(r.kube.Kubectl(t, "describe", "node", self), "BGPPeer router-2 is left out")
	})
	if text := r.kube.Kubectl(t, "get", "events", "--all-namespaces"); strings.Contains(text, "router-1") {
		t.Errorf("what could not be told is told later:\n%s", text)
	}
	c.stop()
}

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

const readSecrets = `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: confd-passwords-confd, namespace: kube-system}}`

package etc_test

import (
	"encoding/json"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"confd/internal/testenv"
)

var imagesFrom = flag.String("images", "", "the folder that the images of a test are in: what make images made")

// twoNodesOfKubernetes are two nodes in a mesh, each with a block of a pool.
const twoNodesOfKubernetes = `
{apiVersion: v1, kind: Node, metadata: {name: n1, annotations: {projectcalico.org/IPv4Address: 192.0.2.1/24}}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2, annotations: {projectcalico.org/IPv4Address: 192.0.2.2/24}}}
---
{apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: {name: pool}, spec: {cidr: 10.9.0.0/16, ipipMode: Never, vxlanMode: Never}}
---
{apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: {name: n1-10-9-1-0-26}, spec: {cidr: 10.9.1.0/26, node: n1, state: confirmed, deleted: "false"}}
---
{apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: {name: n2-10-9-2-0-26}, spec: {cidr: 10.9.2.0/26, node: n2, state: confirmed, deleted: "false"}}
`

// TestTheImagesSpeakBGPAsTheChartHasThem: on an API server that the chart was installed
// on, its pods run from the images on two nodes, with the rights, folders and probes that
// the DaemonSet gives them: the sessions are established, each node has the other's
// routes, keeps them while the other pod is replaced, and has the session again then.
func TestTheImagesSpeakBGPAsTheChartHasThem(t *testing.T) {
	if *imagesFrom == "" {
		t.Skip("no -images: `make test-images` makes them and says where they are")
	}
	needRoot(t)
	programs, err := helmPrograms(t)
	if err != nil || len(programs) == 0 {
		t.Fatalf("no helm in .testenv/bin (%v): `make helm` builds it", err)
	}
	for name, values := range map[string]string{
		"sidecar":                              "mode: sidecar",
		"one container":                        "mode: one-container",
		"sidecar whose state outlives the pod": "state: {hostPath: /var/lib/confd-bird}",
	} {
		t.Run(name, func(t *testing.T) { speaks(t, newNodes(t, newHelm(t, programs[0]), values)) })
	}
}

func speaks(t *testing.T, n *nodes) {
	one, two := n.start("n1"), n.start("n2")
	established := func() bool {
		return one.birdc("show protocols", "Established") && two.birdc("show protocols", "Established")
	}
	testenv.Eventually(t, patience, "the session", established)
	for _, p := range []*pod{one, two} {
		testenv.Eventually(t, patience, "readiness on "+p.node, p.ready)
	}
	if !one.alive() || !two.alive() {
		t.Error("a liveness probe fails on a pod that is ready")
	}
	const block = "10.9.1.0/26"
	testenv.Eventually(t, patience, "the route to "+block+" on n2", func() bool {
		return two.birdc("show route for "+block, "192.0.2.1") && strings.Contains(n.lab.Exec("n2", "ip", "route"), block+" via 192.0.2.1")
	})
	one.stop()
	if !two.birdc("show route for "+block, "192.0.2.1") || !strings.Contains(n.lab.Exec("n2", "ip", "route"), block+" via 192.0.2.1") {
		t.Error("n2 has not kept the routes of n1, whose pod is being replaced")
	}
	if two.birdc("show protocols", "Established") {
		t.Error("n2 still has its session with n1, whose pod is gone")
	}
	one = n.start("n1")
	testenv.Eventually(t, patience, "the session once more", established)
	testenv.Eventually(t, patience, "readiness on n1 once more", one.ready)
	one.stop()
	two.stop()
}

// nodes are two machines, an API server that has the chart, and the images.
type nodes struct {
	t         *testing.T
	lab       *testenv.Lab
	kube      *testenv.Kube
	namespace string
	spec      corev1.PodSpec
	account   string            // folder with what a pod reaches the API server with
	roots     map[string]string // of the images, by name
	images    map[string]imageConfig
	work      string
}

func newNodes(t *testing.T, h helm, values string) *nodes {
	t.Helper()
	n := &nodes{
		t: t, namespace: "kube-system", work: testenv.SocketDir(t), roots: map[string]string{}, images: map[string]imageConfig{},
		kube: testenv.StartKube(t),
		lab:  testenv.NewLab(t, host("n1", "192.0.2.1/24"), host("n2", "192.0.2.2/24")),
	}
	n.kube.InstallCRDs(t, "crd.projectcalico.org/v1")
	n.kube.Apply(t, []byte(twoNodesOfKubernetes))
	r := release{t, h, n.kube, filepath.Join(t.TempDir(), "values.yaml")}
	r.install("settings: {graceful-restart-wait: 10s}\n" + values + "\n")
	text, err := yaml.Marshal(r.daemons().Object)
	if err != nil {
		t.Fatal(err)
	}
	var daemons struct {
		Spec struct{ Template struct{ Spec corev1.PodSpec } }
	}
	if err := yaml.Unmarshal(text, &daemons); err != nil {
		t.Fatal(err)
	}
	n.spec = daemons.Spec.Template.Spec
	n.account = n.folder("account")
	write(t, filepath.Join(n.account, "token"), strings.TrimSpace(n.kube.Kubectl(t, "--namespace", n.namespace, "create", "token", n.spec.ServiceAccountName)))
	write(t, filepath.Join(n.account, "ca.crt"), string(n.kube.CA()))
	write(t, filepath.Join(n.account, "namespace"), n.namespace)
	for _, c := range slices.Concat(n.spec.InitContainers, n.spec.Containers) {
		if n.roots[imageName(c)] != "" {
			continue
		}
		name := imageName(c)
		n.roots[name] = n.folder("root-" + name)
		n.images[name] = unpackImage(t, filepath.Join(*imagesFrom, name), n.roots[name])
	}
	for _, node := range []string{"n1", "n2"} {
		forward(t, n.lab.NS(node), n.apiAddress())
	}
	return n
}

// imageName is the name of a container's image, without its registry and tag.
func imageName(c corev1.Container) string {
	name, _, _ := strings.Cut(filepath.Base(c.Image), ":")
	return name
}

// apiAddress is where the API server listens, and what leads to it on each node.
func (n *nodes) apiAddress() string { return strings.TrimPrefix(n.kube.URL(), "https://") }

// folder is a new one that all may read.
func (n *nodes) folder(name string) string {
	n.t.Helper()
	dir := filepath.Join(n.work, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chmod(n.work, 0o755); err != nil {
		n.t.Fatal(err)
	}
	return dir
}

// imageConfig is what an image says of how it is run.
type imageConfig struct{ Entrypoint, Cmd, Env []string }

// unpackImage writes the files of an image for this machine, which is in an OCI layout,
// into a folder, one layer after the other.
func unpackImage(t *testing.T, from, root string) imageConfig {
	t.Helper()
	type descriptor struct {
		Digest   string
		Platform struct{ Architecture string }
	}
	read := func(path string, into any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(from, path))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("image %s: %v", from, err)
		}
	}
	blob := func(d descriptor) string { return filepath.Join("blobs", strings.Replace(d.Digest, ":", "/", 1)) }
	var index, all struct{ Manifests []descriptor }
	read("index.json", &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("image %s: the layout holds %d images", from, len(index.Manifests))
	}
	read(blob(index.Manifests[0]), &all)
	for _, m := range all.Manifests {
		if m.Platform.Architecture != runtime.GOARCH {
			continue
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		read(blob(m), &manifest)
		for _, layer := range manifest.Layers {
			if out, err := exec.Command("tar", "--extract", "--gzip", "--same-owner", "--preserve-permissions", "--directory", root, "--file", filepath.Join(from, blob(layer))).CombinedOutput(); err != nil {
				t.Fatalf("image %s: %v\n%s", from, err, out)
			}
		}
		var config struct{ Config imageConfig }
		read(blob(manifest.Config), &config)
		return config.Config
	}
	t.Fatalf("image %s is not for %s", from, runtime.GOARCH)
	return imageConfig{}
}

// forward has connections to an address within a network namespace lead to the same
// address outside, until the end of the test.
func forward(t *testing.T, namespace, address string) {
	t.Helper()
	listener := listenIn(t, namespace, address)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			go join(in, address)
		}
	}()
}

// join passes on what comes to in, and what comes back, until either end hangs up.
func join(in net.Conn, address string) {
	defer in.Close()
	out, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = to.(*net.TCPConn).ReadFrom(from) // ends with the connection
		done <- struct{}{}
	}
	go pass(out, in)
	go pass(in, out)
	<-done
}

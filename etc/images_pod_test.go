package etc_test

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"

	"confd/internal/testenv"
)

func host(name, address string) testenv.Host {
	return testenv.Host{Name: name, Addrs: []netip.Prefix{netip.MustParsePrefix(address)}}
}

// listenIn listens within a network namespace.
func listenIn(t *testing.T, namespace, address string) net.Listener {
	t.Helper()
	// The thread goes back: where it ended, what it has started with Pdeathsig would, too.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	outside, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	inside, err := netns.GetFromName(namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	if err := netns.Set(inside); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if back := netns.Set(outside); back != nil {
		panic(back) // all else would be in the wrong namespace
	}
	if err != nil {
		t.Fatalf("listening on %s in %s: %v", address, namespace, err)
	}
	return listener
}

// pod is the DaemonSet's on one node: a container of runc's for each of its containers.
type pod struct {
	nodes   *nodes
	node    string
	volumes map[string]string // folders, by name
	running []*running
}

// running is a container.
type running struct {
	pod  *pod
	spec corev1.Container
	id   string
	cmd  *exec.Cmd
	done chan struct{}
	out  bytes.Buffer // to be read when it has ended
}

// start runs the pod on a node, with new volumes, until stop or the end of the test.
func (n *nodes) start(node string) *pod {
	n.t.Helper()
	p := &pod{nodes: n, node: node, volumes: map[string]string{}}
	for _, v := range n.spec.Volumes {
		dir, err := os.MkdirTemp(n.work, node+"-"+v.Name+"-")
		switch {
		case err != nil:
			n.t.Fatal(err)
		case v.EmptyDir != nil:
			err = os.Chown(dir, 0, int(*n.spec.SecurityContext.FSGroup))
			if err == nil {
				err = os.Chmod(dir, 0o777|os.ModeSetgid) // as the kubelet makes one
			}
		case v.HostPath != nil:
			dir = n.folder(node + strings.ReplaceAll(v.HostPath.Path, "/", "-")) // root's, and there when the pod is replaced
		case v.Projected != nil:
			dir = n.account
		default:
			n.t.Fatalf("volume %s is of a kind that is not expected here", v.Name)
		}
		if err != nil {
			n.t.Fatal(err)
		}
		p.volumes[v.Name] = dir
	}
	n.t.Cleanup(p.kill)
	for _, c := range n.spec.InitContainers {
		r := p.run(c)
		<-r.done
		p.running = nil
		if code := r.cmd.ProcessState.ExitCode(); code != 0 {
			n.t.Fatalf("%s on %s ends with %d: %s", c.Name, node, code, &r.out)
		}
		_ = n.runc("delete", r.id).Run() // fails where it is gone
	}
	for _, c := range n.spec.Containers {
		p.run(c)
	}
	return p
}

// run starts a container, in the pod's network namespace.
func (p *pod) run(c corev1.Container) *running {
	t := p.nodes.t
	t.Helper()
	r := &running{pod: p, spec: c, id: filepath.Base(p.nodes.work) + "-" + p.node + "-" + c.Name, done: make(chan struct{})}
	bundle := p.nodes.folder(r.id)
	text, err := json.Marshal(r.config())
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(bundle, "config.json"), string(text))
	cmd := p.nodes.runc("run", "--bundle", bundle, r.id)
	cmd.Stdout, cmd.Stderr, r.cmd = &r.out, &r.out, cmd
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // which runc passes on
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(r.done) }() // how it ended is in its output
	p.running = append(p.running, r)
	return r
}

func (n *nodes) runc(args ...string) *exec.Cmd {
	program := filepath.Join(testenv.Root(n.t), ".testenv", "runc", "runc")
	return exec.Command(program, append([]string{"--root", filepath.Join(n.work, "runc")}, args...)...)
}

// config is what runc is told: what a kubelet makes of the container, but for the seccomp
// profile, which is the runtime's own, and the limits.
func (r *running) config() map[string]any {
	n, c := r.pod.nodes, r.spec
	name := imageName(c)
	image := n.images[name]
	args := slices.Concat(image.Entrypoint, image.Cmd)
	switch {
	case len(c.Command) > 0:
		args = slices.Concat(c.Command, c.Args)
	case len(c.Args) > 0:
		args = slices.Concat(image.Entrypoint, c.Args)
	}
	group := int64(0)
	if c.SecurityContext.RunAsGroup != nil {
		group = *c.SecurityContext.RunAsGroup
	}
	rights := []string{}
	for _, right := range c.SecurityContext.Capabilities.Add {
		rights = append(rights, "CAP_"+string(right))
	}
	effective := rights
	if *c.SecurityContext.RunAsUser != 0 {
		effective = []string{}
	}
	type object = map[string]any
	namespaces := []object{{"type": "network", "path": "/run/netns/" + n.lab.NS(r.pod.node)}}
	for _, kind := range []string{"pid", "ipc", "mount", "uts"} {
		namespaces = append(namespaces, object{"type": kind})
	}
	return object{
		"ociVersion": "1.0.2",
		"process": object{
			"args": args, "cwd": "/", "env": slices.Concat(image.Env, r.env()), "noNewPrivileges": !*c.SecurityContext.AllowPrivilegeEscalation,
			"user":         object{"uid": *c.SecurityContext.RunAsUser, "gid": group, "additionalGids": []int64{*n.spec.SecurityContext.FSGroup}},
			"capabilities": object{"bounding": rights, "effective": effective, "permitted": effective},
		},
		"root":   object{"path": n.roots[name], "readonly": *c.SecurityContext.ReadOnlyRootFilesystem},
		"mounts": r.mounts(),
		"linux":  object{"namespaces": namespaces, "resources": object{}},
	}
}

// env are the container's variables, with what the kubelet puts into them.
func (r *running) env() []string {
	server, port, _ := net.SplitHostPort(r.pod.nodes.apiAddress())
	env := []string{"KUBERNETES_SERVICE_HOST=" + server, "KUBERNETES_SERVICE_PORT=" + port}
	for _, v := range r.spec.Env {
		value := v.Value
		if v.ValueFrom != nil {
			value = map[string]string{"spec.nodeName": r.pod.node, "metadata.namespace": r.pod.nodes.namespace}[v.ValueFrom.FieldRef.FieldPath]
		}
		env = append(env, v.Name+"="+value)
	}
	return env
}

func (r *running) mounts() []map[string]any {
	mounts := []map[string]any{
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
	}
	for _, m := range r.spec.VolumeMounts {
		options := []string{"rbind", "rw"}
		if m.ReadOnly {
			options = []string{"rbind", "ro"}
		}
		mounts = append(mounts, map[string]any{"destination": m.MountPath, "type": "bind", "source": r.pod.volumes[m.Name], "options": options})
	}
	return mounts
}

// probe asks what a probe asks.
func (r *running) probe(p *corev1.Probe) bool {
	if p.Exec != nil {
		return r.exec(p.Exec.Command) == nil
	}
	lab := r.pod.nodes.lab
	to := "/dev/tcp/" + p.HTTPGet.Host + "/" + p.HTTPGet.Port.String()
	out, err := lab.Command(r.pod.node, "bash", "-c", "exec 3<>"+to+"; printf 'GET "+p.HTTPGet.Path+" HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3").CombinedOutput()
	return err == nil && strings.Contains(string(out), " 200 ")
}

// exec runs a command in the container.
func (r *running) exec(command []string) error {
	return r.pod.nodes.runc(append([]string{"exec", r.id}, command...)...).Run()
}

func (p *pod) ready() bool {
	return !slices.ContainsFunc(p.running, func(r *running) bool { return !r.probe(r.spec.ReadinessProbe) })
}

func (p *pod) alive() bool {
	return !slices.ContainsFunc(p.running, func(r *running) bool { return !r.probe(r.spec.LivenessProbe) })
}

// birdc says whether BIRD's answer to a command has a text in it.
func (p *pod) birdc(command, text string) bool {
	out, err := testenv.Birdc(filepath.Join(p.volumes["control"], "bird.ctl"), command)
	return err == nil && strings.Contains(out, text)
}

// stop ends the pod as a kubelet does: hooks, SIGTERM, and SIGKILL in the end.
func (p *pod) stop() {
	t := p.nodes.t
	t.Helper()
	for _, r := range p.running {
		if l := r.spec.Lifecycle; l != nil && l.PreStop != nil {
			if err := r.exec(l.PreStop.Exec.Command); err != nil {
				t.Errorf("preStop of %s: %v", r.spec.Name, err)
			}
		}
		_ = p.nodes.runc("kill", r.id, "TERM").Run() // fails where the hook has ended it
	}
	for _, r := range p.running {
		testenv.Eventually(t, patience, "the end of "+r.spec.Name, func() bool {
			select {
			case <-r.done:
				return true
			default:
				return false
			}
		})
	}
	p.kill()
}

// kill ends what still runs. Where the test has failed, it shows what was printed.
func (p *pod) kill() {
	for _, r := range p.running {
		_ = p.nodes.runc("delete", "--force", r.id).Run() // fails where it is gone
		<-r.done
		if p.nodes.t.Failed() {
			p.nodes.t.Logf("%s on %s printed:\n%s", r.spec.Name, p.node, &r.out)
		}
	}
	p.running = nil
}

package routers

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"confd/internal/testenv"
)

// enter is a shell script: in mounts of its own it puts the folder $2 where the
// system below $1 has /run, and runs the rest of its arguments there.
const enter = `root=$1 run=$2; shift 2
mount --bind "$run" "$root/run" && mount --rbind /dev "$root/dev" && mount --rbind /proc "$root/proc" && exec chroot "$root" "$@"`

// place is where a router runs: a namespace, a folder for its files (/run, as
// Debian's daemons see it) and its processes, which end with the test.
type place struct {
	tb   testing.TB
	ns   string
	root string // of the small Debian; "" for programs that need none
	run  string
	log  lockedBuffer
	up   []*exec.Cmd
}

// newPlace makes the folder. Where program, a path in the small Debian or below
// .testenv/bin, is not there the test is skipped.
func newPlace(tb testing.TB, ns, program string) *place {
	tb.Helper()
	p := &place{tb: tb, ns: ns, run: testenv.SocketDir(tb)}
	there := filepath.Join(testenv.Root(tb), ".testenv", "bin", program)
	if filepath.IsAbs(program) {
		p.root = filepath.Join(testenv.Root(tb), ".testenv", "routers", "root")
		there = filepath.Join(p.root, program)
	}
	if _, err := os.Stat(there); err != nil {
		tb.Skipf("%s is missing: `make routers` fetches it", there)
	}
	if err := os.Chmod(p.run, 0o755); err != nil { // daemons leave their rights behind
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		p.kill()
		if tb.Failed() {
			tb.Logf("the router in %s printed:\n%s", ns, p.log.String())
		}
	})
	return p
}

// command prepares a command where the router runs.
func (p *place) command(args ...string) *exec.Cmd {
	in := []string{"netns", "exec", p.ns}
	if p.root != "" {
		in = append(in, "unshare", "--mount", "sh", "-c", enter, "sh", p.root, p.run)
	}
	return exec.Command("ip", append(in, args...)...)
}

// start runs a daemon, and all that it starts, until the test ends.
func (p *place) start(args ...string) {
	p.tb.Helper()
	cmd := p.command(args...)
	// In a process namespace of its own: no child outlives the daemon.
	cmd.Args = append([]string{"unshare", "--pid", "--fork", "--kill-child"}, cmd.Args...)
	path, err := exec.LookPath("unshare")
	if err != nil {
		p.tb.Fatal(err)
	}
	cmd.Path = path
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.tb.Fatalf("starting %s: %v", args[0], err)
	}
	p.up = append(p.up, cmd)
}

// kill ends what start started.
func (p *place) kill() {
	for _, cmd := range p.up {
		_ = cmd.Process.Kill() // fails only where it is gone
		_ = cmd.Wait()         // says that it was killed
	}
	p.up = nil
}

// write puts a file into the router's /run.
func (p *place) write(name, text string) {
	p.tb.Helper()
	if err := os.WriteFile(filepath.Join(p.run, name), []byte(text), 0o600); err != nil {
		p.tb.Fatal(err)
	}
}

// lockedBuffer collects what processes print.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

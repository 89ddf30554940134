package reload

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/reload/control"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		applyForEver(folder, os.Getenv(childBinary))
		return
	}
	if folder := os.Getenv(childTries); folder != "" {
		tryForEver(folder, os.Getenv(childSocket))
	}
	if folder := os.Getenv(childLocks); folder != "" {
		lockForEver(folder, os.Getenv(childOwner))
	}
	waitTogether()
	goleak.VerifyTestMain(m)
}

// waitTogether runs more tests at once than there are processors, unless -parallel
// says how many: most of them wait for BIRD's timers.
func waitTogether() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8") // it is one of testing's own
	}
}

const patience = 20 * time.Second

// testContext bounds a whole test.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// testFolder is short enough for socket paths, and others may look into it.
func testFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rld")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// birdBinary is the path of a BIRD that the test environment has unpacked.
func birdBinary(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, ".testenv", "bird", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs BIRD at %s", path)
	}
	return path
}

// birdOfOthers is birdBinary as a copy, with what it loads, that every user may run: the
// project's own folder may be one that nobody else may enter.
func birdOfOthers(t *testing.T, name string) string {
	t.Helper()
	copied := filepath.Join(testFolder(t), "copy")
	if out, err := exec.Command("cp", "-a", filepath.Dir(birdBinary(t, name)), copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(copied, filepath.Base(name))
}

// eachBIRD runs a test with every BIRD.
func eachBIRD(t *testing.T, test func(t *testing.T, binary, version string)) {
	for _, name := range []string{"1.6.8/bird", "1.6.8/bird6", "2.0.12/bird", "2.17.6/bird", "3.1.8/bird"} {
		t.Run(name, func(t *testing.T) {
			test(t, birdBinary(t, name), filepath.Dir(name))
		})
	}
}

type daemon struct {
	t      *testing.T
	cmd    *exec.Cmd
	out    *bytes.Buffer
	socket string
}

// startBIRD starts a daemon and waits until it greets.
func startBIRD(t *testing.T, binary, config, socket string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, out: &bytes.Buffer{}, socket: socket}
	args = append([]string{"-c", config, "-s", socket, "-P", socket + ".pid", "-f"}, args...)
	d.cmd = exec.Command(binary, args...)
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	eventually(t, func() error {
		return greets(socket)
	})
	return d
}

// greets says why no BIRD answers on a socket.
func greets(socket string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err == nil {
		err = c.Close()
	}
	return err
}

func (d *daemon) kill() {
	if d.cmd.ProcessState != nil {
		return
	}
	d.cmd.Process.Signal(syscall.SIGCONT)
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

func eventually(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func client(t *testing.T, socket string) *control.Client {
	t.Helper()
	c, err := control.Dial(testContext(t), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// testLogger writes to the test's log.
func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func file(dest, text string) File {
	return File{Dest: dest, Data: []byte(text), UID: -1, GID: -1}
}

// small is a configuration that every BIRD takes.
const small = "router id 10.0.0.1;\nprotocol device {}\n"

// threeFiles is a set whose files only fit each other: a mix of two generations
// does not parse.
func threeFiles(folder, generation string) []File {
	main := fmt.Sprintf(`# generation %[1]s
router id 10.0.0.1;
protocol device {}
include "aggr.cfg";
include "ipam.cfg";
filter uses { if AGGR_%[1]s = IPAM_%[1]s then accept; reject; }
`, generation)
	return []File{
		file(filepath.Join(folder, "aggr.cfg"), fmt.Sprintf("# generation %[1]s\ndefine AGGR_%[1]s = 1;\n", generation)),
		file(filepath.Join(folder, "bird.cfg"), main),
		file(filepath.Join(folder, "ipam.cfg"), fmt.Sprintf("# generation %[1]s\ndefine IPAM_%[1]s = 1;\n", generation)),
	}
}

func set(files []File, main, socket, binary string) Set {
	return Set{Name: "bird", Files: files, Daemon: &Daemon{Main: main, Socket: socket, Binary: binary}}
}

// wantEntries fails unless a folder holds exactly these entries.
func wantEntries(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", folder, got, want)
	}
}

// protocolsOf are the names of BIRD's protocols, and what it says of each.
func protocolsOf(ctx context.Context, c *control.Client) (map[string]string, error) {
	reply, err := c.Do(ctx, "show protocols")
	list := map[string]string{}
	for _, line := range reply.Lines {
		if name, rest, ok := strings.Cut(line.Text, " "); ok && line.Code == 1002 {
			list[name] = strings.TrimSpace(rest)
		}
	}
	return list, err
}

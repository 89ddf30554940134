package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"confd/internal/testenv"
)

func prefix(address string) netip.Prefix { return netip.PrefixFrom(netip.MustParseAddr(address), 9) }

// exportTemplates has the program use its own templates, but such that BIRD
// refuses what comes of a peer of AS 65013.
func (r *faultRig) exportTemplates() error {
	if err := run(r.o.confd, "templates", "export", r.confdir()); err != nil {
		return err
	}
	for _, name := range []string{"bird.conf.template", "bird1.cfg.template"} {
		path := filepath.Join(r.confdir(), "templates", name)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		const start = " from calico_bgp{{$v}} {\n"
		changed := strings.Replace(string(text), start, start+"{{if eq .AS 65013}}  not for BIRD;\n{{end}}", 1)
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (r *faultRig) startProgram() error {
	args := []string{r.o.confd, "--datastore", "etcdv3", "--etcd-endpoints", r.etcd.url, "--node", testenv.NodeName(faultNode),
		"--bird-binary", r.birdPath, "--bird-dir", r.dir, "--socket", r.socket(), "--confdir", r.confdir(), "--ready-file", r.readyFile()}
	args = append(args, r.c.args...)
	if r.c.exec {
		args = append(args, "--exec", strings.Join(r.birdCommand(), " "))
	}
	log, err := os.OpenFile(r.logPath(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	r.program = r.lab.Command("node", args...)
	r.program.Stdout, r.program.Stderr = log, log
	r.program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return r.program.Start()
}

func (r *faultRig) birdCommand() []string {
	return []string{r.birdPath, "-f", "-c", r.conf(), "-s", r.socket(), "-P", r.socket() + ".pid"}
}

func (r *faultRig) startBird() error {
	r.bird = r.lab.Command("node", r.birdCommand()...)
	r.bird.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return r.bird.Start()
}

// killProgram kills the program as a crash would.
func (r *faultRig) killProgram() {
	_ = r.program.Process.Kill() // fails only where it is gone
	_ = r.program.Wait()
}

// killBird kills the BIRD, whoever started it, and waits until it is gone.
func (r *faultRig) killBird() {
	r.signalBird(syscall.SIGKILL)
	if r.bird != nil {
		_ = r.bird.Wait() // how it ended is of no interest
		r.bird = nil
	}
	for end := time.Now().Add(time.Second); len(r.birds()) > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

func (r *faultRig) signalBird(s syscall.Signal) {
	for _, pid := range r.birds() {
		_ = syscall.Kill(pid, s)
	}
}

// birds are the BIRDs on the socket.
func (r *faultRig) birds() []int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	var pids []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		words := strings.Split(string(text), "\x00")
		var pid int
		if err == nil && slices.Contains(words, "-s") && slices.Contains(words, r.socket()) {
			if _, err := fmt.Sscanf(f, "/proc/%d/", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// established counts the sessions that are up.
func (r *faultRig) established() int { return strings.Count(r.protocols(), "Established") }

func (r *faultRig) protocols() string {
	text, err := testenv.Birdc(r.socket(), "show protocols")
	if err != nil {
		return ""
	}
	return text
}

// sessionsSince says since when each session that is up is so.
func (r *faultRig) sessionsSince() []string {
	var all []string
	for line := range strings.Lines(r.protocols()) {
		if strings.Contains(line, "Established") {
			all = append(all, strings.Join(strings.Fields(line), " "))
		}
	}
	slices.Sort(all)
	return all
}

// sameSession says that two rows are of one session that has stayed up. BIRD 1
// works out since when from an age in seconds, which wavers.
func sameSession(a, b string) bool {
	then, now := strings.Fields(a), strings.Fields(b)
	if len(then) < 5 || len(now) < 5 || then[0] != now[0] {
		return false
	}
	was, err := time.Parse(time.TimeOnly, then[4])
	is, err2 := time.Parse(time.TimeOnly, now[4])
	return err == nil && err2 == nil && is.Sub(was).Abs() <= time.Second
}

// has says whether BIRD has a session with a neighbor.
func (r *faultRig) has(address netip.Addr) bool {
	return strings.Contains(r.protocols(), "Mesh_"+strings.ReplaceAll(address.String(), ".", "_")+" ")
}

// addNode adds node i to the cluster.
func (r *faultRig) addNode(i int) error { return r.etcd.put(testenv.EtcdKeys(testenv.NodeObjects(i))) }

// mark is where the log ends now.
func (r *faultRig) mark() int64 {
	info, err := os.Stat(r.logPath())
	if err != nil {
		return 0
	}
	return info.Size()
}

// logged waits for a line after mark that has all the texts.
func (r *faultRig) logged(mark int64, texts ...string) error {
	return await(fmt.Sprintf("a line of the log with %q", texts), func() bool {
		text, err := os.ReadFile(r.logPath())
		if err != nil || int64(len(text)) < mark {
			return false
		}
		for line := range strings.Lines(string(text[mark:])) {
			if !slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) }) {
				return true
			}
		}
		return false
	})
}

// confirmed waits for the line that says that BIRD uses the files that there are.
func (r *faultRig) confirmed(mark int64) error { return r.logged(mark, "set=bird ", "state=confirmed") }

// fill leaves no room in the config folder; free undoes that.
func (r *faultRig) fill() error {
	f, err := os.Create(filepath.Join(r.dir, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	return nil // it is full
}

func (r *faultRig) free() error { return os.Remove(filepath.Join(r.dir, "ballast")) }

package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	confd "confd/confd"
)

const (
	resources = "/calico/resources/v3/projectcalico.org/"
	// refusedPeer has BIRD refuse the configuration, with the templates that are
	// used here.
	refusedPeer = resources + "bgppeers/refused"
)

// fault makes one fault at random.
func (s *soak) fault() {
	d := s.daemons()[s.rng.IntN(len(s.daemons()))]
	socket := filepath.Join(s.dir, d.socket)
	faults := []func(){
		func() { s.killBird(socket) }, func() { s.killBird(socket) },
		func() { s.stopBird(socket) },
		func() { s.endProgram(syscall.SIGKILL) }, func() { s.endProgram(syscall.SIGTERM) },
		s.hangUp, s.killEtcd, s.pauseEtcd,
		func() { s.editFile(s.file(d.conf)) }, func() { s.editFile(s.file(d.conf)) },
		func() { s.configureOther(socket) },
		s.fillDisk, s.breakTemplates, s.killPeer, s.loseMesh,
		s.writeJunk, s.writeRefused, s.removeSelf,
	}
	faults[s.rng.IntN(len(faults))]()
}

// killBird ends a BIRD; it is back after a while.
func (s *soak) killBird(socket string) {
	s.note("kill BIRD", filepath.Base(socket))
	s.kill(socket)
	s.absent[socket] = true
	s.in(s.random(2*time.Second), func() { s.absent[socket] = false })
}

// stopBird has a BIRD hang for a while.
func (s *soak) stopBird(socket string) {
	s.note("stop BIRD", filepath.Base(socket))
	pids := processesWith(socket)
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	s.in(s.random(7*time.Second), func() {
		s.note("continue BIRD", filepath.Base(socket))
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
}

// endProgram ends the program; it is back, with other settings, after a while.
func (s *soak) endProgram(signal syscall.Signal) {
	if !s.program.running() || s.program.ended {
		return
	}
	s.note("end program", signal)
	s.away = true
	s.program.signal(signal)
	ended := s.program
	s.later = append(s.later, event{at: time.Now().Add(30 * time.Second), isDeadline: true, do: func() {
		if ended.running() {
			s.t.Errorf("the program is there 30 s after %v", signal)
		}
	}})
	s.in(s.random(2*time.Second), func() { s.away = false })
}

func (s *soak) hangUp() {
	// Go ends a program on a signal that it does not handle yet.
	if s.program.running() && !s.program.ended && s.report() != nil && s.report().PID == s.program.cmd.Process.Pid {
		s.note("SIGHUP")
		s.program.signal(syscall.SIGHUP)
	}
}

func (s *soak) killEtcd() {
	if s.noEtcd {
		return
	}
	s.note("kill etcd")
	s.noEtcd = true
	s.etcd.Kill()
	s.in(s.random(4*time.Second), func() { s.etcd.Restart(); s.noEtcd = false })
}

func (s *soak) pauseEtcd() {
	if s.noEtcd {
		return
	}
	s.note("stop etcd")
	s.noEtcd = true
	s.etcd.Pause()
	s.in(s.random(4*time.Second), func() { s.etcd.Resume(); s.noEtcd = false })
}

// editFile does what people do with files by hand.
func (s *soak) editFile(path string) {
	s.tampered = true
	var err error
	switch s.rng.IntN(5) {
	case 0:
		s.note("edit file")
		err = appendText(path, "# by hand\n")
	case 1:
		s.note("break file")
		err = appendText(path, "what is this\n")
	case 2:
		s.note("remove file")
		err = os.Remove(path)
	case 3:
		s.note("replace file")
		if err = os.WriteFile(path+".new", []byte("router id 10.7.7.7;\nprotocol device {}\n"), 0o644); err == nil {
			err = os.Rename(path+".new", path)
		}
	default:
		s.note("change mode of file")
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		s.note("nothing edited", err)
	}
	_ = os.Remove(path + ".new") // there only where the disk is full
}

func appendText(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// configureOther is somebody else who reconfigures BIRD. That is not noticed
// within three seconds of the program doing so (see reload's Verify), nor is an
// undo that goes back by so little.
func (s *soak) configureOther(socket string) {
	s.wait(4 * time.Second)
	before, known := ageAt(socket)
	if !known || before < 4*time.Second {
		return
	}
	command := "configure undo"
	if s.rng.IntN(2) == 0 {
		command = s.otherFile()
	}
	answer, err := birdc(socket, command, impatience)
	s.note("configure by somebody else", command, strings.TrimSpace(answer), err)
	if now, known := ageAt(socket); known && (now-before).Abs() < 4*time.Second {
		answer, err = birdc(socket, s.otherFile(), impatience)
		s.note("configure by somebody else, too", strings.TrimSpace(answer), err)
	}
}

// otherFile is the command to read a file that is not the program's.
func (s *soak) otherFile() string {
	const name = "other.conf"
	writeTree(s.t, s.dir, map[string]string{name: "router id 10.8.8.8;\nprotocol device {}\n"})
	return fmt.Sprintf("configure %q", filepath.Join(s.dir, name))
}

// ageAt is the age of the configuration of the BIRD that answers on a socket.
func ageAt(socket string) (age time.Duration, known bool) {
	status, err := birdc(socket, "show status", impatience)
	if err != nil {
		return 0, false
	}
	return ageOf(status)
}

func (s *soak) fillDisk() {
	if !s.mounted {
		return
	}
	s.note("fill disk")
	ballast := s.file("ballast")
	f, err := os.Create(ballast)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if f != nil {
		f.Close()
	}
	s.in(s.random(4*time.Second), func() {
		s.note("free disk")
		_ = os.Remove(ballast)
	})
}

// breakTemplates changes the templates to such that do not work, for a while.
func (s *soak) breakTemplates() {
	path := s.templates()[min(1, len(s.daemons())-1)]
	if s.broken {
		return
	}
	s.note("break templates")
	text := readFile(s.t, path)
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			s.t.Error(err)
		}
	}
	s.broken = true
	write(text + []string{brokenEnd, refusedEnd}[s.rng.IntN(2)])
	s.in(s.random(3*time.Second), func() {
		write(text)
		s.in(time.Second, func() { s.broken = false }) // a start may be under way
	})
}

const (
	brokenEnd  = "{{if}}\n"
	refusedEnd = "nobody knows this;\n"
)

func (s *soak) killPeer() {
	s.note("kill neighbors")
	s.peer.signal(syscall.SIGKILL)
}

// loseMesh takes most sessions away.
func (s *soak) loseMesh() {
	s.note("mesh off")
	s.writeMesh(false)
	s.in(s.random(6*time.Second), func() { s.writeMesh(true) })
}

func (s *soak) writeMesh(on bool) {
	o := object{kind: "BGPConfiguration", name: "default", spec: fmt.Sprintf(`{"nodeToNodeMeshEnabled":%v}`, on)}
	s.write(confd.StoreChange{Key: o.key(), Value: o.json()})
}

func (s *soak) writeJunk() {
	s.note("write junk")
	keys := []string{resources + "bgppeers/junk", resources + "nodes/junk", resources + "bgpfilters/f0", resources + "nodes/node-3",
		resources + "bgpconfigurations/default", "/calico/ipam/v2/host/node-1/ipv4/block/10.8.0.0-99", resources + "junk/junk"}
	values := []string{"{", "junk", `{"kind":"Node"}`, `{"apiVersion":"projectcalico.org/v3","kind":"BGPPeer","metadata":{"name":"junk"},"spec":{"peerIP":"10.0.0.999"}}`}
	s.write(confd.StoreChange{Key: keys[s.rng.IntN(len(keys))], Value: values[s.rng.IntN(len(values))]})
	s.in(s.random(6*time.Second), func() { s.writeMesh(true) })
}

func (s *soak) writeRefused() {
	s.note("write refused object")
	s.write(confd.StoreChange{Key: refusedPeer,
		Value: object{kind: "BGPPeer", name: "refused", spec: `{"peerIP":"10.0.0.77","asNumber":65013}`}.json()})
}

func (s *soak) removeSelf() {
	s.note("remove own node")
	s.write(confd.StoreChange{Key: resources + "nodes/" + self})
	s.in(s.random(3*time.Second), func() { s.write(s.store.Own()) })
}

// processesWith are the processes that have an argument, without dead ones.
func processesWith(argument string) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	var pids []int
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || !slices.ContainsFunc(bytes.Split(text, []byte{0}), func(a []byte) bool { return string(a) == argument }) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
		pids = append(pids, pid)
	}
	return pids
}

// impatience is how long a BIRD that may hang is waited for.
const impatience = 2 * time.Second

// birdc is testenv's Birdc, for no longer than that.
func birdc(socket, command string, within time.Duration) (string, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return "", err
	}
	var text strings.Builder
	in := bufio.NewReader(conn)
	for ends := 0; ends < 2; { // the greeting has one, too
		line, err := in.ReadString('\n')
		if err != nil {
			return text.String(), err
		}
		if len(line) > 4 && line[4] == ' ' && line[0] != ' ' {
			ends++
		}
		text.WriteString(line)
	}
	return text.String(), nil
}

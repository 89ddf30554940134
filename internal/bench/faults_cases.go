package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"confd/internal/testenv"
)

func faultCases() []faultCase {
	return []faultCase{
		{name: "BIRD killed, and started by somebody at once", steps: []string{"confirmed"}, measure: birdKilled, old: true},
		{name: "BIRD killed, with --exec", steps: []string{"BIRD answers", "confirmed"}, measure: childKilled, exec: true, old: true},
		{name: "BIRD hangs for 10 s, and a change comes", steps: []string{"noticed", "confirmed, after it goes on"}, measure: birdHung, old: true},
		{name: "program killed, and started at once", steps: []string{"confirmed"}, measure: programKilled, old: true},
		{name: "program and BIRD killed, the program started at once, with --exec", steps: []string{"BIRD answers", "confirmed"}, measure: bothKilled, exec: true, old: true},
		{name: "etcd killed, started after 5 s", steps: []string{"noticed", "in step, after it answers", "live, of a change then"}, measure: etcdKilled},
		{name: "etcd gone without a word for 30 s", steps: []string{"noticed", "live, of a change when it is back"}, measure: etcdSilent},
		{name: "start without etcd, with --exec", steps: []string{"BIRD answers, on the files from before"}, measure: startAlone, exec: true, old: true},
		{name: "file edited by hand", steps: []string{"put right"}, measure: fileEdited, old: true},
		{name: "BIRD reconfigured by somebody else", steps: []string{"put right"}, measure: otherConfigured, old: true},
		{name: "an object that BIRD refuses, with a good one", steps: []string{"the good one live"}, measure: refusedObject, old: true},
		{name: "a session goes down on trial (--guard 30s)", steps: []string{"undone"}, measure: sessionLost, args: []string{"--guard", "30s"}},
		{name: "disk full for 10 s, and a change comes", steps: []string{"live, after there is room"}, measure: diskFull, old: true},
	}
}

// stopwatch counts from the last step.
type stopwatch struct {
	began time.Time
	times []time.Duration
}

func watch() *stopwatch { return &stopwatch{began: time.Now()} }

// step notes a time, unless there was an error.
func (w *stopwatch) step(err error) error {
	if err == nil {
		w.times = append(w.times, time.Since(w.began))
	}
	return err
}

func (r *faultRig) answers() error {
	return await("BIRD to answer", func() bool { return r.protocols() != "" })
}

func birdKilled(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.killBird()
	if err := r.startBird(); err != nil {
		return nil, err
	}
	return w.times, w.step(r.confirmed(mark))
}

func childKilled(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.killBird()
	err := errors.Join(w.step(r.answers()), w.step(r.confirmed(mark)))
	return w.times, err
}

func birdHung(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.signalBird(syscall.SIGSTOP)
	if err := w.step(r.logged(mark, "BIRD does not answer")); err != nil {
		return nil, err
	}
	if err := r.addNode(faultNodes); err != nil {
		return nil, err
	}
	time.Sleep(time.Until(w.began.Add(10 * time.Second)))
	w.began = time.Now()
	r.signalBird(syscall.SIGCONT)
	err := w.step(r.confirmed(mark))
	return w.times, err
}

func programKilled(r *faultRig) ([]time.Duration, error) {
	mark, before, w := r.mark(), r.sessionsSince(), watch()
	r.killProgram()
	if err := r.startProgram(); err != nil {
		return nil, err
	}
	err := w.step(r.confirmed(mark))
	if after := r.sessionsSince(); err == nil && !slices.EqualFunc(before, after, sameSession) {
		err = fmt.Errorf("sessions were touched: before %q, after %q", before, after)
	}
	return w.times, err
}

func bothKilled(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.killProgram()
	r.killBird()
	if err := r.startProgram(); err != nil {
		return nil, err
	}
	err := errors.Join(w.step(r.answers()), w.step(r.confirmed(mark)))
	return w.times, err
}

func etcdKilled(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.killEtcd()
	if err := w.step(r.logged(mark, "datastore is out of step")); err != nil {
		return nil, err
	}
	time.Sleep(time.Until(w.began.Add(5 * time.Second)))
	mark = r.mark()
	if err := r.startEtcd(); err != nil {
		return nil, err
	}
	if err := r.addNode(faultNodes); err != nil { // waits until etcd answers
		return nil, err
	}
	w.began = time.Now()
	err := errors.Join(w.step(r.logged(mark, "datastore is in step")), w.step(r.confirmed(mark)))
	return w.times, err
}

func etcdSilent(r *faultRig) ([]time.Duration, error) {
	mark, w := r.mark(), watch()
	r.lab.Unplug("etcd")
	err := w.step(r.logged(mark, "datastore is out of step"))
	time.Sleep(time.Until(w.began.Add(30 * time.Second)))
	r.lab.Plug("etcd")
	if err != nil {
		return nil, err
	}
	mark = r.mark()
	if err := r.addNode(faultNodes); err != nil {
		return nil, err
	}
	w.began = time.Now()
	err = w.step(r.confirmed(mark))
	return w.times, err
}

func startAlone(r *faultRig) ([]time.Duration, error) {
	r.killEtcd()
	r.killProgram()
	r.killBird()
	w := watch()
	if err := r.startProgram(); err != nil {
		return nil, err
	}
	err := w.step(r.answers())
	if err := r.startEtcd(); err != nil {
		return nil, err
	}
	return w.times, err
}

func fileEdited(r *faultRig) ([]time.Duration, error) {
	good, err := os.ReadFile(r.conf())
	if err != nil {
		return nil, err
	}
	w := watch()
	if err := os.WriteFile(r.conf(), []byte("protocol device {}\n"), 0o600); err != nil {
		return nil, err
	}
	err = w.step(await("the file to be put right", func() bool {
		now, err := os.ReadFile(r.conf())
		return err == nil && string(now) == string(good)
	}))
	return w.times, err
}

func otherConfigured(r *faultRig) ([]time.Duration, error) {
	other := filepath.Join(filepath.Dir(r.dir), "other.conf")
	if err := os.WriteFile(other, []byte("router id 10.0.0.9;\nprotocol device {}\n"), 0o600); err != nil {
		return nil, err
	}
	w := watch()
	if _, err := testenv.Birdc(r.socket(), fmt.Sprintf("configure %q", other)); err != nil {
		return nil, err
	}
	err := w.step(await("BIRD to have its sessions again", func() bool { return r.has(testenv.NodeAddress(0)) }))
	return w.times, err
}

func refusedObject(r *faultRig) ([]time.Duration, error) {
	keys := testenv.EtcdKeys(testenv.NodeObjects(faultNodes))
	bad := testenv.Object{APIVersion: "projectcalico.org/v3", Kind: "BGPPeer", Metadata: testenv.Metadata{Name: "bad"},
		Spec: testenv.BGPPeerSpec{PeerIP: "10.126.0.1", ASNumber: 65013}}
	for k, v := range testenv.EtcdKeys([]testenv.Object{bad}) {
		keys[k] = v
	}
	mark, w := r.mark(), watch()
	if err := r.etcd.put(keys); err != nil {
		return nil, err
	}
	err := w.step(r.confirmed(mark))
	if err == nil && !r.has(testenv.NodeAddress(faultNodes)) {
		err = errors.New("the good node has no session")
	}
	return w.times, err
}

func sessionLost(r *faultRig) ([]time.Duration, error) {
	mark := r.mark()
	if err := r.addNode(faultNodes); err != nil {
		return nil, err
	}
	if err := r.logged(mark, "msg=applied", `state="on trial"`); err != nil {
		return nil, err
	}
	w := watch()
	// What the change did not mean to touch goes down.
	if _, err := r.neighbors.Birdc("disable n0"); err != nil {
		return nil, err
	}
	err := w.step(await("the trial to be undone", func() bool {
		text := r.protocols()
		return text != "" && !r.has(testenv.NodeAddress(faultNodes))
	}))
	_, again := r.neighbors.Birdc("enable n0")
	return w.times, errors.Join(err, again)
}

func diskFull(r *faultRig) ([]time.Duration, error) {
	if err := r.fill(); err != nil {
		return nil, err
	}
	mark := r.mark()
	if err := r.addNode(faultNodes); err != nil {
		return nil, err
	}
	if err := r.logged(mark, "not applied"); err != nil {
		return nil, err
	}
	time.Sleep(10 * time.Second)
	w := watch()
	if err := r.free(); err != nil {
		return nil, err
	}
	err := w.step(r.confirmed(mark))
	return w.times, err
}

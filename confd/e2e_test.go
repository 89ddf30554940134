package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// TestEndToEnd drives the program as users do, against real servers: what takes the
// real thing to be seen. What the loop decides is in the scripts of internal/agent,
// and what is true of each BIRD in package reload. The tests of what waits longest
// come first.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	runScenarios(t,
		scenario{"killed", testKilled},
		scenario{"trial undone", testGuardUndoes},
		scenario{"started without etcd", testBoot},
		scenario{"drift", testDrift},
		scenario{"BIRD in trouble", testBirdInTrouble},
		scenario{"held", testHeld},
		scenario{"downgrade", testDowngrade},
		scenario{"killed in a trial", testGuardKilled},
		scenario{"quarantine", testQuarantine},
		scenario{"live", testLive},
		scenario{"one container", testChild},
		scenario{"killed with a child", testKilledWithChild},
		scenario{"bad command for a child", testBadChild},
		scenario{"storm", testStorm},
		scenario{"hostile files", testHostileFiles},
		scenario{"hostile etcd", testHostileEtcd},
		scenario{"conflicts", testConflicts},
		scenario{"systemd", testSystemd},
		scenario{"sockets for calicoctl", testCalicoSockets},
		scenario{"picture of the cluster", testTopologyPage},
		scenario{"probes", testProbes},
		scenario{"TLS", testListenTLS},
		scenario{"bad addresses to listen on", testBadListen},
		scenario{"exit codes", testExitCodes},
		scenario{"strict", testStrict},
		scenario{"Calico's flags", testCalicoFlags},
		scenario{"noop", testNoop},
		scenario{"sync only", testSyncOnly},
		scenario{"SIGTERM", testSIGTERM},
	)
}

func testLive(t *testing.T, confd string) {
	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newEtcdRig(t, confd, version, mesh(3)...)
			c := r.start("--log-level", "debug")
			r.awaitFiles()
			r.startBirds()
			r.awaitMesh(2, 3)
			r.put(node(4, 0))
			r.awaitMesh(2, 3, 4)
			r.remove(node(2, 0))
			r.awaitMesh(3, 4)
			c.awaitOutput("msg=applied", `added="2 `, "Mesh_10_0_0_4")
			c.awaitOutput("msg=times", "gather=", "render=", "check=", "confirm=", "total=")
			c.stop()
			r.awaitMesh(3, 4)
		})
	}
}

// testBirdInTrouble has BIRD be away, hang, be killed, and be started again while
// something changes.
func testBirdInTrouble(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	c := r.start("--verify-interval", "300ms", "--reload-timeout", "1s")
	r.awaitFiles()
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird: BIRD is absent")
	r.startBirds()
	r.awaitMesh(2)
	r.awaitReady()
	r.birds[0].signal(syscall.SIGSTOP)
	c.awaitOutput("level=ERROR", "BIRD does not answer", r.env["CONFD_SOCKET"])
	r.put(node(3, 0))
	c.awaitOutput("level=ERROR", "not applied", "does not answer")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird: BIRD is hung")
	r.birds[0].signal(syscall.SIGCONT)
	c.awaitOutput("BIRD answers again", "was=hung")
	r.awaitMesh(2, 3)
	r.awaitReady()
	r.killBirds()
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird: BIRD is absent")
	r.put(node(4, 0))
	r.startBirds()
	r.awaitMesh(2, 3, 4)
	r.awaitReady()
	c.stop()
}

func testStorm(t *testing.T, confd string) {
	const writes = 200
	r := newEtcdRig(t, confd, oldBIRD, mesh(11)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed")
	reloads := r.reconfigured()
	began := time.Now()
	for i := range writes {
		r.put(node(2+i%10, 65000+i))
		time.Sleep(5 * time.Millisecond)
	}
	for i := range 10 {
		session := fmt.Sprintf("Mesh_10_0_0_%d", 2+i)
		want := fmt.Sprint(65000 + writes - 10 + i)
		testenv.Eventually(t, patience, session+" to have the last AS number", func() bool {
			text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "show protocols all "+session)
			return err == nil && len(linesWith(text, "Neighbor AS:", want)) == 1
		})
	}
	took := time.Since(began)
	n := r.reconfigured() - reloads
	t.Logf("%d reloads for %d writes in %s", n, writes, took)
	if most := int(took.Seconds()) + 3; n > most {
		t.Errorf("%d reloads in %s: more than %d", n, took, most)
	}
	if n > writes/10 {
		t.Errorf("%d reloads for %d writes", n, writes)
	}
}

// testKilled kills confd again and again while changes come in: what lies on
// disk must always be what BIRD can start with, and whole whenever it is read.
func testKilled(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(60)...)
	defer r.watchFile()()
	killAgainAndAgain(t, r, 10)
}

// watchFile reads BIRD's file all the time, until it is told to stop.
func (r *rig) watchFile() (stop func()) {
	return inBackground(func() bool {
		text, err := os.ReadFile(r.conf())
		if err != nil && !os.IsNotExist(err) {
			r.t.Error(err)
		}
		whole := strings.HasPrefix(string(text), "# Written by confd") && strings.HasSuffix(string(text), "}\n")
		if err == nil && !whole {
			r.t.Errorf("half a file of %d bytes was there to be read", len(text))
		}
		time.Sleep(50 * time.Microsecond)
		return !r.t.Failed()
	})
}

// inBackground does a thing again and again, until it returns false or is told
// to stop.
func inBackground(do func() bool) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for do() {
			select {
			case <-end:
				return
			default:
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-ended })
}

func killAgainAndAgain(t *testing.T, r *rig, rounds int) {
	eager := []string{"--gather", "1ms", "--min-interval", "0s"}
	stop := r.stream()
	defer stop()
	r.killWhileFirst(eager)
	first := r.start(eager...)
	r.awaitFiles()
	first.kill()
	r.startBirds()
	staged := 0
	for range rounds {
		c := r.start(eager...)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		c.kill()
		if len(r.leftovers("stage-")) > 0 {
			staged++
		}
		testenv.CheckConfig(t, r.version, r.conf())
		r.killBirds()
		r.startBirds()
	}
	stop()
	t.Logf("%d of %d died with staged files on disk", staged, rounds)
	c := r.start(eager...)
	c.awaitOutput("msg=applied", "state=confirmed")
	r.put(node(2, 64999), node(3, 64999))
	testenv.Eventually(t, patience, "the last change", func() bool { return strings.Contains(readFile(t, r.conf()), "64999") })
	c.stop()
	if stages, sets := r.leftovers("stage-"), r.leftovers("bird/set-"); len(stages) > 0 || len(sets) > 2 {
		t.Errorf("left behind: %q, and of sets %q", stages, sets)
	}
}

// killWhileFirst kills confd while it writes for the first time: then there is
// nothing for BIRD, or what it can start with.
func (r *rig) killWhileFirst(args []string) {
	r.t.Helper()
	for range 5 {
		c := r.start(args...)
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		c.kill()
		if _, err := os.Stat(r.conf()); err == nil {
			testenv.CheckConfig(r.t, r.version, r.conf())
		}
		if err := os.RemoveAll(r.env["CONFD_BIRD_DIR"]); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Mkdir(r.env["CONFD_BIRD_DIR"], 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
}

// leftovers are the hidden entries of this kind in the folder of BIRD's files.
func (r *rig) leftovers(kind string) []string {
	r.t.Helper()
	names, err := filepath.Glob(r.file(".confd-" + kind + "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

// stream keeps changing the AS numbers of the nodes 2 and 3, until it is told
// to stop.
func (r *rig) stream() (stop func()) {
	as := 100
	return inBackground(func() bool {
		time.Sleep(20 * time.Millisecond)
		as++
		for _, o := range []object{node(2, as), node(3, as)} {
			if _, err := r.kv.Put(r.t.Context(), o.key(), o.json()); err != nil {
				r.t.Errorf("write to etcd: %v", err)
				return false
			}
		}
		return true
	})
}

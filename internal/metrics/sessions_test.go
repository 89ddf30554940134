package metrics

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"confd/internal/report"
	"confd/internal/testenv"
)

// pair runs two BIRDs on loopback addresses that have a session with each
// other, and returns the first, when that is established. It has three more
// sessions: one that is switched off, one that waits, one that nobody knows.
func pair(t *testing.T, version string) *testenv.BirdDaemon {
	t.Helper()
	port := freePort(t)
	dir := t.TempDir()
	config := func(own, peer, more string) string {
		file := filepath.Join(dir, own)
		if err := os.WriteFile(file, []byte(birdConfig(version, own, peer, port)+more), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	local, bind := "local as 64512", ""
	if version != "1.6.8" { // port 179 may be somebody's
		local, bind = fmt.Sprintf("local 127.0.0.1 port %d as 64512", port), "strict bind on; ipv4 {};"
	}
	first := config("127.0.0.1", "127.0.0.2", fmt.Sprintf(`
protocol bgp Node_10_9_9_9 { disabled; %[1]s; neighbor 10.9.9.9 as 64512; multihop; %[2]s }
protocol bgp Global_10_9_9_8 { passive; %[1]s; neighbor 10.9.9.8 as 64512; multihop; %[2]s }
protocol bgp mine { passive; %[1]s; neighbor 10.9.9.7 as 64512; multihop; %[2]s }
`, local, bind))
	testenv.StartBird(t, version, config("127.0.0.2", "127.0.0.1", ""))
	b := testenv.StartBird(t, version, first)
	testenv.Eventually(t, time.Minute, "a session and its routes", func() bool {
		text, err := b.Birdc("show protocols")
		routes, _ := b.Birdc("show protocols all Mesh_127_0_0_2")
		return err == nil && strings.Contains(text, "Established") && strings.Contains(routes, "2 imported")
	})
	return b
}

func birdConfig(version, own, peer string, port int) string {
	name := "Mesh_" + strings.ReplaceAll(peer, ".", "_")
	if strings.HasPrefix(version, "1.") {
		return fmt.Sprintf(`router id %[1]s;
listen bgp address %[1]s port %[4]d;
protocol device {}
protocol static { route 10.7.0.0/24 blackhole; route 10.8.0.0/24 blackhole; }
protocol bgp %[3]s {
  local %[1]s as 64512; neighbor %[2]s port %[4]d as 64512; multihop; source address %[1]s;
  connect delay time 1; connect retry time 1; import all; export all;
}
`, own, peer, name, port)
	}
	return fmt.Sprintf(`router id %[1]s;
protocol device {}
protocol static { ipv4; route 10.7.0.0/24 blackhole; route 10.8.0.0/24 blackhole; }
protocol bgp %[3]s {
  local %[1]s port %[4]d as 64512; neighbor %[2]s port %[4]d as 64512; multihop; strict bind on;
  connect delay time 1; connect retry time 1; ipv4 { import all; export all; };
}
`, own, peer, name, port)
}

// freePort is one that nobody uses on 127.0.0.1 and 127.0.0.2.
func freePort(t *testing.T) int {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		other, err := net.Listen("tcp", fmt.Sprintf("127.0.0.2:%d", port))
		l.Close()
		if err == nil {
			other.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// counting passes connections on to a socket, and counts them.
func counting(t *testing.T, to string) (path string, count *atomic.Int32) {
	t.Helper()
	path, count = filepath.Join(testenv.SocketDir(t), "proxy"), new(atomic.Int32)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			wg.Go(func() { pass(from, to) })
		}
	})
	return path, count
}

func pass(from net.Conn, to string) {
	defer from.Close()
	bird, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	defer bird.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(from, bird) })
	_, _ = io.Copy(bird, from)
	bird.Close()
	wg.Wait()
}

func reporting(sets []report.Set, sessions ...report.Session) func() *report.Report {
	return func() *report.Report { return &report.Report{Sets: sets, Sessions: sessions} }
}

func TestSessions(t *testing.T) {
	for _, version := range []string{"1.6.8", "2.0.12"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			bird := pair(t, version)
			socket, count := counting(t, bird.Socket)
			m := New(Options{
				PerSession: true,
				Report: reporting([]report.Set{{Name: "bird", State: "up", Socket: socket}, {Name: "none", State: "up"}},
					report.Session{Name: "mine", Family: 4, Kind: "Node", Neighbor: "10.9.9.7", PeerNode: "node-7", AS: 64512}),
			})
			// However slow this machine is, all ask within the time of one answer.
			m.sessions.limit, m.sessions.answers.Keep = time.Minute, time.Hour
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					want(t, scrape(t, m), `confd_bird_up{set="bird"} 1`,
						`confd_sessions{family="4",kind="mesh",state="established"} 1`, `confd_sessions{family="4",kind="mesh",state="down"} 0`,
						`confd_sessions{family="4",kind="node",state="down"} 1`, `confd_sessions{family="4",kind="node",state="connecting"} 1`,
						`confd_sessions{family="4",kind="global",state="connecting"} 1`,
						`confd_session_up{as="64512",family="4",kind="mesh",name="Mesh_127_0_0_2",peer="127.0.0.2",peer_node=""} 1`,
						`confd_session_up{as="64512",family="4",kind="global",name="Global_10_9_9_8",peer="10.9.9.8",peer_node=""} 0`,
						`confd_session_up{as="64512",family="4",kind="node",name="mine",peer="10.9.9.7",peer_node="node-7"} 0`,
						`confd_session_routes{as="64512",direction="imported",family="4",kind="mesh",name="Mesh_127_0_0_2",peer="127.0.0.2",peer_node=""} 2`)
					if !strings.Contains(scrape(t, m), `confd_session_state_changed_timestamp_seconds{as="64512",family="4",kind="mesh",name="Mesh_127_0_0_2",peer="127.0.0.2",peer_node=""} 1.`) {
						t.Error("nobody knows since when the session is up")
					}
				})
			}
			wg.Wait()
			if n := count.Load(); n != 1 {
				t.Errorf("BIRD was asked %d times for 100 scrapes", n)
			}
		})
	}
}

func TestSessionsOfABIRDThatHangs(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(config, []byte("router id 10.0.0.1;\nprotocol device {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bird := testenv.StartBird(t, "2.0.12", config)
	o := Options{Report: reporting([]report.Set{
		{Name: "bird", State: "up", Socket: bird.Socket},
		{Name: "bird6", State: "absent", Socket: bird.Socket + "6"},
	})}
	m := New(o)
	m.sessions.limit = 100 * time.Millisecond // it would not answer in an hour
	if err := syscall.Kill(bird.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	text := scrape(t, m)
	want(t, text, `confd_bird_up{set="bird"} 0`)
	if strings.Contains(text, "confd_sessions{") {
		t.Errorf("nothing is known of sessions:\n%s", text)
	}
	if strings.Contains(text, `confd_bird_up{set="bird6"}`) {
		t.Errorf("nobody misses an IPv6 daemon that has no sessions:\n%s", text)
	}
	if err := syscall.Kill(bird.Pid(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	again := New(o)
	again.sessions.limit = time.Minute
	want(t, scrape(t, again), `confd_bird_up{set="bird"} 1`)
}

func TestIPv6DaemonIsMissedWhereItHasSessions(t *testing.T) {
	sets := []report.Set{{Name: "bird6", State: "absent", Socket: "/nowhere/bird6.ctl"}}
	m := New(Options{Report: reporting(sets, report.Session{Name: "Mesh_fd00__1", Family: 6, Kind: "Mesh"})})
	want(t, scrape(t, m), `confd_bird_up{set="bird6"} 0`)
}

func TestStateOf(t *testing.T) {
	for states, want := range map[[2]string]string{
		{"up", "Established"}:    stateEstablished,
		{"start", "Connect"}:     stateConnecting,
		{"start", "Active"}:      stateConnecting,
		{"start", "OpenConfirm"}: stateConnecting,
		{"start", "Passive"}:     stateConnecting,
		{"start", "Idle"}:        stateIdle,
		{"start", ""}:            stateConnecting,
		{"down", ""}:             stateDown,
		{"down", "Down"}:         stateDown,
		{"stop", "Close"}:        stateDown,
	} {
		if got := stateOf(states[0], states[1]); got != want {
			t.Errorf("%q is %s, not %s", states, got, want)
		}
	}
}

func TestFromName(t *testing.T) {
	for name, want := range map[string][2]string{
		"Mesh_10_0_0_2":                     {"4", "mesh"},
		"Node_10_0_0_2_port_1179":           {"4", "node"},
		"Global_fd00__1":                    {"6", "global"},
		"Global_fd00__1_port_179":           {"6", "global"},
		"Mesh_1__2_3":                       {"6", "mesh"},
		"Local_Workload_10_0_0_2":           {"4", "local_workload"},
		"Local_Workload_fd00_1_2_3_4_5_6_7": {"6", "local_workload"},
		"mine":                              {"4", "other"},
	} {
		if family, kind := fromName(name); [2]string{family, kind} != want {
			t.Errorf("%s is %s %s, not %v", name, family, kind, want)
		}
	}
}

package calicosocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"confd/internal/testenv"
	"confd/reload/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is the same for a node of each version.
const (
	old16 = `router id 10.0.0.1;
listen bgp address 10.0.0.1;
protocol device { scan time 2; }
protocol direct calico_direct { interface "eth0"; }
protocol kernel calico_kernel { learn; persist; scan time 2; import all; export none; graceful restart; }
protocol static calico_static { route 10.244.42.128/26 blackhole; route 10.98.0.0/24 unreachable; }
template bgp t { local as 64512; multihop; gateway recursive; import all; export all; add paths on; graceful restart;
  connect delay time 1; connect retry time 2; error wait time 1,2; source address 10.0.0.1; }
protocol bgp Mesh_10_0_0_2 from t { neighbor 10.0.0.2 as 64512; }
protocol bgp Mesh_10_0_0_3 from t { neighbor 10.0.0.3 as 64512; passive on; }
protocol bgp Global_192_0_2_1_port_1790 from t { neighbor 192.0.2.1 port 1790 as 64999; }
`
	new2 = `router id 10.0.0.1;
protocol device { scan time 2; }
protocol direct calico_direct { ipv4; ipv6; interface "eth0"; }
protocol kernel calico_kernel4 { learn; persist; scan time 2; ipv4 { import all; export none; }; graceful restart; }
protocol kernel calico_kernel6 { learn; persist; scan time 2; ipv6 { import all; export none; }; graceful restart; }
protocol static calico_static4 { ipv4; route 10.244.42.128/26 blackhole; route 10.98.0.0/24 unreachable; }
protocol static calico_static6 { ipv6; route fd00:1::/122 blackhole; }
template bgp t { local 10.0.0.1 as 64512; multihop; graceful restart; connect delay time 1; connect retry time 2; error wait time 1,2;
  ipv4 { gateway recursive; import all; export all; add paths on; }; }
protocol bgp Mesh_10_0_0_2 from t { neighbor 10.0.0.2 as 64512; }
protocol bgp Mesh_10_0_0_3 from t { neighbor 10.0.0.3 as 64512; passive on; }
protocol bgp Global_192_0_2_1_port_1790 from t { neighbor 192.0.2.1 port 1790 as 64999; }
protocol bgp Mesh_fd00__3 { local fd00::1 as 64512; neighbor fd00::3 as 64512; multihop; passive; ipv6 { import all; export all; }; }
`
	peer = `router id 10.0.0.2;
protocol device { scan time 2; }
protocol static { ipv4; route 10.244.81.128/26 via 10.0.0.2; }
protocol direct { ipv4; }
protocol bgp p { local 10.0.0.2 as 64512; multihop; graceful restart; neighbor 10.0.0.1 as 64512; passive;
  ipv4 { gateway recursive; import all; export all; add paths on; }; }
`
)

// node starts a node of a version with its peer, in namespaces of their own, and
// returns its socket: of a BIRD 2 or 3 the one that stands for BIRD 1.6's.
func node(t *testing.T, version string, args ...string) string {
	t.Helper()
	subnet := func(a string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(a)} }
	lab := testenv.NewLab(t, testenv.Host{Name: "node", Addrs: subnet("10.0.0.1/24")}, testenv.Host{Name: "peer", Addrs: subnet("10.0.0.2/24")})
	testenv.StartBird(t, "2.0.12", file(t, peer), testenv.InNetns(lab.NS("peer")))
	conf := new2
	if version == "1.6.8" {
		conf = old16
	}
	bird := testenv.StartBird(t, version, file(t, conf), testenv.InNetns(lab.NS("node")), testenv.WithArgs(args...))
	testenv.Eventually(t, time.Minute, "the session to the peer", func() bool {
		out, err := bird.Birdc("show protocols all Mesh_10_0_0_2")
		ready := "2 imported"
		if len(args) > 0 {
			ready = "GR recovery:    waiting"
		}
		return err == nil && strings.Contains(out, "Established") && strings.Contains(out, ready)
	})
	testenv.Eventually(t, time.Minute, "why the session to the router is not up", func() bool {
		out, err := bird.Birdc("show protocols all Global_192_0_2_1_port_1790")
		return err == nil && strings.Contains(out, "Network is unreachable")
	})
	if version == "1.6.8" {
		return bird.Socket
	}
	return filepath.Join(serveFrom(t, bird.Socket), "bird.ctl")
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveFrom serves the two sockets of a BIRD, and returns their folder.
func serveFrom(t *testing.T, socket string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	dir, done := testenv.SocketDir(t), make(chan error)
	go func() {
		done <- Serve(ctx, Options{
			Folder: dir, Log: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context) (*control.Client, error) { return control.Dial(ctx, socket) },
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	for _, name := range []string{"bird.ctl", "bird6.ctl"} {
		testenv.Eventually(t, time.Minute, "the socket "+name, func() bool {
			conn, err := net.Dial("unix", filepath.Join(dir, name))
			if err != nil {
				return false
			}
			conn.Close()
			return true
		})
	}
	return dir
}

// talk sends commands over one connection and returns all that comes, byte by byte.
func talk(t *testing.T, socket string, commands ...string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in, all := bufio.NewReader(conn), &strings.Builder{}
	for _, c := range append([]string{""}, commands...) {
		if c != "" {
			fmt.Fprintf(all, "> %s\n", c)
			if _, err := io.WriteString(conn, c+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		for {
			line, err := in.ReadString('\n')
			all.WriteString(line)
			if err != nil {
				t.Fatalf("%v after\n%s", err, all)
			}
			if len(line) > 4 && line[0] != ' ' && line[4] == ' ' {
				break
			}
		}
	}
	return all.String()
}

// What two BIRDs that were started at different moments do not say alike: times,
// timers, and how often the peer said something.
var differing = regexp.MustCompile(`\d\d\d\d-\d\d-\d\d |\d\d:\d\d:\d\d|\d+/(240|80|[12])\b`)

func comparable16(text string) []string {
	lines := strings.Split(differing.ReplaceAllString(text, "T"), "\n")
	for i, l := range lines {
		if strings.Contains(l, "port updates:") || strings.Contains(l, "port withdraws:") {
			lines[i] = regexp.MustCompile(` +(\d+|---)`).ReplaceAllString(l, " N")
		}
		// The first of a reply has the code.
		lines[i] = strings.Replace(lines[i], "1002-", " ", 1)
		lines[i] = strings.Replace(lines[i], "1007-", " ", 1)
		// BIRD 2 and 3 have two of them, with names of their own.
		for _, name := range []string{"calico_kernel", "calico_static"} {
			lines[i] = strings.ReplaceAll(lines[i], name+"4", name)
		}
	}
	return lines
}

// sorted puts what BIRDs list in orders of their own into one.
func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

func TestAnswersAreThoseOfBIRD16(t *testing.T) {
	t.Parallel()
	lists := []string{"show protocols", "show route"}
	rest := []string{
		"show status", "show protocols all Mesh_10_0_0_2", "show protocols all Mesh_10_0_0_3", "show protocols all Global_192_0_2_1_port_1790",
		"show protocols all calico_direct", "show protocols all device1", "show protocols all nothere", "show nothing",
	}
	for _, args := range [][]string{nil, {"-R"}} {
		old := node(t, "1.6.8", args...)
		wantRest, wantLists := comparable16(talk(t, old, rest...)), make([][]string, len(lists))
		for i, c := range lists {
			wantLists[i] = sorted(comparable16(talk(t, old, c)))
		}
		for _, version := range testenv.BirdVersions()[1:] {
			t.Run(fmt.Sprint(version, args), func(t *testing.T) {
				socket := node(t, version, args...)
				for i, c := range lists {
					if diff := cmp.Diff(wantLists[i], sorted(comparable16(talk(t, socket, c)))); diff != "" {
						t.Errorf("%s: 1.6.8 (-), %s (+)\n%s", c, version, diff)
					}
				}
				if diff := cmp.Diff(wantRest, comparable16(talk(t, socket, rest...))); diff != "" {
					t.Errorf("1.6.8 (-), %s (+)\n%s", version, diff)
				}
				six := talk(t, filepath.Join(filepath.Dir(socket), "bird6.ctl"), "show protocols", "show route")
				if strings.Contains(six, "Mesh_10_0_0_2") || strings.Contains(six, "10.244.") {
					t.Errorf("bird6.ctl tells of IPv4:\n%s", six)
				}
				if !strings.Contains(six, "Mesh_fd00__3") || !strings.Contains(six, "fd00:1::/122") {
					t.Errorf("bird6.ctl does not tell of IPv6:\n%s", six)
				}
			})
		}
	}
}

// fake answers like a BIRD of 2.0.12: each command with the text that is given for it.
func fake(t *testing.T, replies map[string]string) string {
	t.Helper()
	path := filepath.Join(testenv.SocketDir(t), "fake.ctl")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var g sync.WaitGroup
	g.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.Go(func() {
				defer conn.Close()
				fmt.Fprint(conn, "0001 BIRD 2.0.12 ready.\n")
				for in := bufio.NewScanner(conn); in.Scan(); {
					reply, ok := replies[in.Text()]
					if !ok {
						reply = "9001 syntax error, unexpected CF_SYM_UNDEFINED\n"
					}
					fmt.Fprint(conn, reply)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); g.Wait() })
	return path
}

const up = "1000-BIRD 2.0.12\n1011-Router ID is 10.0.0.1\n Hostname is n\n Current server time is 2026-11-29 13:05:43.270\n0013 Daemon is up and running\n"

func TestNamesThatTellNoFamily(t *testing.T) {
	t.Parallel()
	socket := fake(t, map[string]string{
		"show status":    up,
		"show protocols": "2002-Name\n1002-rack BGP --- up 2026-11-28 10:00:00.000 Established\n0000 \n",
		"show protocols all": "2002-Name\n1002-rack BGP --- up 2026-11-28 10:00:00.000 Established\n" +
			"1006-  BGP state:          Established\n     Neighbor address: fd00::2\n   Channel ipv6\n     State:          UP\n \n0000 \n",
	})
	dir := serveFrom(t, socket)
	if got := talk(t, filepath.Join(dir, "bird.ctl"), "show protocols"); strings.Contains(got, "rack") {
		t.Errorf("an IPv6 session on the socket for IPv4:\n%s", got)
	}
	want := " rack     BGP      master   up     2026-11-28 10:00:00  Established   \n"
	if got := talk(t, filepath.Join(dir, "bird6.ctl"), "show protocols"); !strings.Contains(strings.Replace(got, "1002-", " ", 1), want) {
		t.Errorf("want %q in\n%s", want, got)
	}
}

func TestNoBIRDNoGreeting(t *testing.T) {
	t.Parallel()
	dir := serveFrom(t, filepath.Join(t.TempDir(), "nobody.ctl"))
	conn, err := net.Dial("unix", filepath.Join(dir, "bird.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
		t.Errorf("got %q and %v, want the end", got, err)
	}
}

func TestWhatIsNotAQuestionIsRefused(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(serveFrom(t, fake(t, map[string]string{"show status": up})), "bird.ctl")
	for _, command := range []string{"configure", "down", "disable all", "show route all", `show protocols all "x"`, "show protocols all a;b", "restrict", "dump resources"} {
		if got := talk(t, socket, command); !strings.HasSuffix(got, "9001 syntax error\n") {
			t.Errorf("%s: got %q", command, got)
		}
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, strings.Repeat("x", 2*maxCommand)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) || string(got) != greeting {
		t.Errorf("after a command without an end: %q and %v, want the greeting and the end", got, err)
	}
}

func TestASocketThatIsTakenIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := testenv.SocketDir(t)
	taken, err := net.Listen("unix", filepath.Join(dir, "bird.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ctx, cancel := context.WithCancel(t.Context())
	said, done := make(chan string, 8), make(chan error)
	go func() {
		done <- Serve(ctx, Options{Folder: dir, Log: slog.New(slog.NewTextHandler(lines(said), nil)), Dial: func(context.Context) (*control.Client, error) {
			return nil, control.ErrNotRunning
		}})
	}()
	for line := ""; !strings.Contains(line, "address already in use"); {
		line = <-said
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
}

// lines passes on what is written to it.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func FuzzReplies(f *testing.F) {
	f.Add("1002-a BGP --- up 10:00:00 Established\n1006-  BGP state: x\n    Neighbor capabilities\n      Route refresh\n  Channel ipv4\n    Routes: 1\n      Import updates: 1 2 3 4 5 6 7\n0000 \n")
	f.Fuzz(func(_ *testing.T, text string) {
		var reply control.Reply
		for l := range strings.SplitSeq(text, "\n") {
			code := codeDetail
			if strings.HasPrefix(l, "1002") {
				code = codeProtocol
			}
			reply.Lines = append(reply.Lines, control.Line{Code: code, Text: strings.TrimPrefix(l, "1002-")})
		}
		for _, p := range parseWhole(reply, IPv4) {
			_ = p.write(io.Discard, true)
		}
		var table routeTable
		for _, l := range reply.Lines {
			table.line(l.Text)
		}
		_ = table.lines()
	})
}

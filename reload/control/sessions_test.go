package control

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

// recorded is what a BIRD said in a network where sessions go wrong in many
// ways, and when that was.
func recorded(t *testing.T, name string) []SessionState {
	t.Helper()
	text := read(t, filepath.Join("testdata", "sessions", name))
	reply, err := readReply(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return parseSessions(reply)
}

// line is the short form of a session in a test's table.
func (s SessionState) line() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Name, s.State, s.BGPState, s.LastError))
}

func TestSessionsRecorded(t *testing.T) {
	want := []string{
		"Mesh_10_9_0_3 up Established",
		"Node_wrongas start Idle BGP Error: Bad peer AS",
		"Node_shut start Passive Received: Administrative shutdown",
		"Node_limit down Down Automatic shutdown: Route limit exceeded",
		"Node_hold start Idle BGP Error: Hold timer expired",
		"Node_noroute start Active Socket: Network is unreachable",
		"Node_disabled down Down",
	}
	both := append(slices.Clone(want), "Mesh_fd00_9__3 up Established", "Mesh_ll up Established")
	for version, want := range map[string][]string{"1.6.8": want, "2.0.12": both, "2.17.6": both, "3.1.8": both} {
		all := recorded(t, "all-"+version+".txt")
		brief := recorded(t, "brief-"+version+".txt")
		var got, gotBrief []string
		for _, s := range all {
			got = append(got, s.line())
			if s.Neighbor == (netip.Addr{}) || s.NeighborAS == 0 || !s.Timed() {
				t.Errorf("%s: details are missing: %+v", version, s)
			}
		}
		for _, s := range brief {
			gotBrief = append(gotBrief, s.line())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", version, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, line := range got {
			if !slices.Contains(gotBrief, line) {
				t.Errorf("%s: the brief list has no %q:\n%s", version, line, strings.Join(gotBrief, "\n"))
			}
		}
	}
}

// Which neighbors cannot send their routes again is known of sessions that are up, and
// from the long list alone.
func TestNoRefresh(t *testing.T) {
	const cannot = "Mesh_10_9_0_3"
	for version, words := range map[string][2]string{
		"1.6.8": {"    Neighbor caps:    refresh enhanced-refresh ", "    Neighbor caps:    enhanced-refresh "}, "2.0.12": {}, "2.17.6": {}, "3.1.8": {},
	} {
		text := read(t, filepath.Join("testdata", "sessions", "all-"+version+".txt"))
		changed := strings.Replace(text, words[0], words[1], 1)
		if words == [2]string{} { // the first session's, of the neighbor
			head, rest, _ := strings.Cut(text, "Neighbor capabilities")
			changed = head + "Neighbor capabilities" + strings.Replace(rest, "      Route refresh\n", "", 1)
		}
		for _, test := range []struct {
			text string
			want []string
		}{{text, nil}, {changed, []string{cannot}}, {read(t, filepath.Join("testdata", "sessions", "brief-"+version+".txt")), nil}} {
			reply, err := readReply(bufio.NewReader(strings.NewReader(test.text)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range parseSessions(reply) {
				if s.NoRefresh {
					got = append(got, s.Name)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%s: %q, want %q", version, got, test.want)
			}
		}
	}
}

func TestSessionDetails(t *testing.T) {
	for _, test := range []struct {
		file string
		want SessionState
	}{
		{"all-1.6.8.txt", SessionState{
			Name: "Mesh_10_9_0_3", State: "up", BGPState: "Established", Since: "01:08:58", Info: "Established",
			Neighbor: netip.MustParseAddr("10.9.0.3"), NeighborAS: 64513,
			NeighborID: netip.MustParseAddr("10.9.0.3"), Source: netip.MustParseAddr("10.9.0.1"),
			HoldTime: 240 * time.Second, HoldLeft: 216 * time.Second, KeepaliveTime: 80 * time.Second, KeepaliveLeft: 51 * time.Second,
			Routes: []RouteCount{{Family: "ipv4", Imported: 2, Exported: 1, Preferred: 2}},
		}},
		{"all-2.17.6.txt", SessionState{
			Name: "Mesh_fd00_9__3", State: "up", BGPState: "Established", Info: "Established",
			Neighbor: netip.MustParseAddr("fd00:9::3"), NeighborPort: 1790, NeighborAS: 64513, LocalAS: 64512,
			NeighborID: netip.MustParseAddr("10.9.0.3"), Source: netip.MustParseAddr("fd00:9::1"),
			HoldTime: 240 * time.Second, KeepaliveTime: 80 * time.Second, Routes: []RouteCount{{Family: "ipv6"}},
		}},
		{"all-3.1.8.txt", SessionState{
			Name: "Mesh_ll", State: "up", BGPState: "Established", Info: "Established",
			Neighbor: netip.MustParseAddr("fe80::5%eth0"), NeighborAS: 64513, LocalAS: 64512,
			NeighborID: netip.MustParseAddr("10.9.0.5"), Source: netip.MustParseAddr("fe80::1"),
			HoldTime: 240 * time.Second, KeepaliveTime: 80 * time.Second,
			Routes: []RouteCount{{Family: "ipv4", Imported: 2, Exported: 1, Preferred: 2}, {Family: "ipv6"}},
		}},
		{"all-3.1.8.txt", SessionState{
			Name: "Node_shut", State: "start", BGPState: "Passive", Info: "Passive Received: Administrative shutdown",
			LastError: "Received: Administrative shutdown", Message: "maintenance tonight",
			Neighbor: netip.MustParseAddr("10.9.0.6"), NeighborAS: 64513, LocalAS: 64512,
		}},
	} {
		all := recorded(t, test.file)
		i := slices.IndexFunc(all, func(s SessionState) bool { return s.Name == test.want.Name })
		if i < 0 {
			t.Errorf("%s: no %s", test.file, test.want.Name)
			continue
		}
		got := all[i]
		if test.want.Since == "" { // with fractions that a recording anew would change
			test.want.Since = got.Since
			test.want.HoldLeft, test.want.KeepaliveLeft = got.HoldLeft, got.KeepaliveLeft
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got\n%+v, want\n%+v", test.file, got, test.want)
		}
	}
}

// Whatever way BIRD prints times, states and errors are found.
func TestSessionsLive(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string, options ...testenv.BirdOption) {
		ctx := testContext(t)
		address, channel := "127.9.9.9", "ipv4 { import all; export all; };"
		if strings.HasPrefix(version, "1.") {
			channel = ""
		}
		if len(options) > 0 { // bird6
			address = "fd00:9:9::9"
		}
		session := func(name, more string) string {
			return fmt.Sprintf("protocol bgp %s { local as 64512; neighbor %s as 64513; multihop; %s %s }\n", name, address, more, channel)
		}
		for _, format := range []string{"iso short", "iso long", `"%d. %B, %H Uhr"`} {
			d := startBIRD(t, version, small+"timeformat protocol "+format+";\n"+session("Node_off", "disabled;")+
				session("Global_passive", `passive; password "sesame";`), options...)
			c := client(t, d.Socket)
			eventually(t, func() error {
				all, err := c.Sessions(ctx)
				if err != nil {
					return err
				}
				brief, err := c.SessionsBrief(ctx)
				if err != nil {
					return err
				}
				for i, want := range []string{"Node_off down Down", "Global_passive start Passive"} {
					if len(all) != 2 || len(brief) != 2 || all[i].line() != want || brief[i].line() != want {
						return fmt.Errorf("%s: got\n%+v and\n%+v, want %q", format, all, brief, want)
					}
				}
				if s := all[1]; s.Neighbor != netip.MustParseAddr(address) || s.NeighborAS != 64513 || s.Since == "" {
					return fmt.Errorf("%s: %+v", format, s)
				}
				if strings.Contains(fmt.Sprintf("%+v", all), "sesame") {
					return fmt.Errorf("the password shows: %+v", all)
				}
				return nil
			})
			d.Kill()
		}
	})
}

func FuzzSessions(f *testing.F) {
	files, err := filepath.Glob("testdata/sessions/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("nothing is recorded", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("1002-a BGP t up x Established\n1006-  Routes: 1 imported, , x\n   Hold timer: NaN/1e99\n   Channel \n0000 \n")
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := readReply(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		rows := 0
		for _, line := range reply.Lines {
			if line.Code == codeProtocol {
				rows++
			}
		}
		list := parseSessions(reply)
		if len(list) > rows {
			t.Fatalf("%d sessions from %d rows", len(list), rows)
		}
		for _, s := range list {
			if s.Name == "" || s.State == "" || s.Since == "" {
				t.Fatalf("a session without a name, state or time: %+v", s)
			}
		}
	})
}

func TestSameSince(t *testing.T) {
	for _, test := range []struct {
		was, is string
		stepped time.Duration
		want    bool
	}{
		{"10:00:00.100", "10:00:00.100", 0, true},
		{"10:00:00.100", "10:00:00.320", 0, true},
		{"10:00:00.100", "10:00:05.100", 0, false},
		{"23:59:59.900", "00:00:00.100", 0, true},
		{"10:00:00", "11:00:00", time.Hour, true},
		{"10:00:00", "10:00:00", time.Hour, true},
		{"10:00:00.100", "2026-11-24", 0, true}, // it has become a day old
		{"2026-11-24", "10:00:00.100", 0, false},
		{"2026-11-24 10:00:00", "2026-11-24 10:00:01", 0, true},
		{"2026-11-24 10:00:00", "2026-11-24 10:01:00", 0, false},
		{"24. November", "25. November", 0, false},
	} {
		if got := sameSince(test.was, test.is, test.stepped); got != test.want {
			t.Errorf("%q and %q, clock set by %v: %v", test.was, test.is, test.stepped, got)
		}
	}
}

package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

func replyOf(t *testing.T, text string) Reply {
	t.Helper()
	r, err := readReply(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecovery(t *testing.T) {
	const head = "1000-BIRD 2.0.12\n1011-Router ID is 10.0.0.1\n Current server time is 2026-11-29 13:09:31.434\n"
	for text, want := range map[string]Recovery{
		head + "0013 Daemon is up and running\n": {},
		head + "0024-Graceful restart recovery in progress\n   Waiting for 2 channels to recover\n   Wait timer is 18.937/20\n0013 Daemon is up and running\n": {true, 18937 * time.Millisecond, 20 * time.Second},
		head + "0024-Graceful restart recovery in progress\n   Waiting for 2 protocols to recover\n   Wait timer is 18/240\n0013 Daemon is up and running\n":   {true, 18 * time.Second, 240 * time.Second},
	} {
		if got := parseStatus(replyOf(t, text)).Recovery; got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestOverviewRecorded(t *testing.T) {
	const text = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     13:09:30.371  
1006-
1002-calico_direct Direct     ---        up     13:09:30.371  
1006-  Channel ipv4
     State:          UP
     GR recovery:   
     Routes:         1 imported, 0 exported, 1 preferred
   Channel ipv6
     Routes:         2 imported, 0 exported, 2 preferred
 
1002-calico_kernel4 Kernel     master4    up     13:09:30.371  
1006-  Channel ipv4
     GR recovery:    waiting
     Routes:         0 imported, 6 exported, 0 preferred
 
1002-Mesh_10_9_0_2 BGP        ---        start  13:09:30.371  Active        
1006-  BGP state:          Active
     Neighbor address: 10.9.0.2
   Channel ipv4
     State:          DOWN
     GR recovery:    pending
 
0000 
`
	got := overviewOf(t, text)
	want := []ProtocolState{
		{Name: "device1", Kind: "Device", State: "up"},
		{Name: "calico_direct", Kind: "Direct", State: "up", Routes: []RouteCount{{Family: "ipv4", Imported: 1, Preferred: 1}, {Family: "ipv6", Imported: 2, Preferred: 2}}},
		{Name: "calico_kernel4", Kind: "Kernel", State: "up", Waiting: true, Routes: []RouteCount{{Family: "ipv4", Exported: 6}}},
	}
	if !reflect.DeepEqual(got.Others, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got.Others, want)
	}
	if s := got.Sessions; len(s) != 1 || !s[0].Awaited {
		t.Errorf("%+v", s)
	}
}

func overviewOf(t *testing.T, text string) Overview {
	t.Helper()
	var p overviewParser
	if _, err := eachText(bufio.NewReaderSize(strings.NewReader(text), 64), maxReply, func(code int, text []byte) error {
		p.line(code, text)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return p.finished()
}

// What an overview says of sessions is what the list of sessions says, of every BIRD.
func TestOverviewOfSessions(t *testing.T) {
	for _, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		text := read(t, filepath.Join("testdata", "sessions", "all-"+version+".txt"))
		var want []SessionRoutes
		for _, s := range parseSessions(replyOf(t, text)) {
			want = append(want, SessionRoutes{s.Name, s.BGPState, s.Routes, s.Awaited})
		}
		if got := overviewOf(t, text).Sessions; len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", version, got, want)
		}
	}
}

// Every BIRD answers what is asked about routes.
func TestRoutesLists(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string, options ...testenv.BirdOption) {
		ctx := testContext(t)
		one := strings.HasPrefix(version, "1.")
		channel, net := "ipv4; ", "192.0.2.0/24"
		if one {
			channel = ""
		}
		if len(options) > 0 { // bird6
			net = "2001:db8::/64"
		}
		c := client(t, startBIRD(t, version, small+"protocol static st { "+channel+"route "+net+" unreachable; }\n", options...).Socket)
		eventually(t, func() error {
			list, err := c.Primary(ctx)
			if err == nil && (len(list) != 1 || list[0].Net.String() != net || list[0].Target != Unreachable || list[0].Protocol != "st" || list[0].Hops != nil) {
				t.Fatalf("%+v", list)
			}
			return err
		})
		o, err := c.Overview(ctx, 0)
		if err != nil || len(o.Sessions) != 0 || len(o.Others) != 2 {
			t.Errorf("%+v %v", o, err)
		}
		if list, err := c.Dead(ctx, 5); err != nil || len(list) != 0 {
			t.Errorf("of BGP there are none: %+v %v", list, err)
		}
		if list, err := c.Detours(ctx, netip.MustParsePrefix("192.0.2.1/24"), 5); err != nil || len(list) != 0 {
			t.Errorf("of BGP there are none: %+v %v", list, err)
		}
		if _, err := c.Exported(ctx, "nobody"); err == nil || !c.Usable() {
			t.Errorf("a protocol that is not there: %v", err)
		}
		if _, err := c.Exported(ctx, `a" b`); err == nil || !c.Usable() {
			t.Errorf("a name that is none: %v", err)
		}
		if list, err := c.ExportedTo(ctx, netip.MustParsePrefix(net), "nobody"); err == nil || list != nil {
			t.Errorf("%+v %v", list, err)
		}
		if list, err := c.Addresses(ctx); err != nil {
			t.Errorf("%v %v", list, err)
		}
	})
}

// TestExportedTakesNone has BIRD answer as it does while it recovers from a graceful
// restart, recorded from 2.0.12, 2.17.6 and 3.1.8.
func TestExportedTakesNone(t *testing.T) {
	for version, reply := range map[string]string{
		"2.0.12": "No valid tables", "2.17.6": "No valid tables",
		"3.1.8": "Requested 'show route export' to protocols which aren't accepting exports at all.",
	} {
		path := filepath.Join(testenv.SocketDir(t), "bird.ctl")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		t.Cleanup(func() { l.Close(); <-done })
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "0001 BIRD %s ready.\n", version)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				fmt.Fprintf(conn, "9001 %s\n", reply)
			}
		}()
		c := client(t, path)
		if list, err := c.Exported(testContext(t), "calico_kernel4"); !errors.Is(err, ErrTakesNone) || len(list) > 0 || !c.Usable() {
			t.Errorf("%s: %v, %v", version, list, err)
		}
	}
}

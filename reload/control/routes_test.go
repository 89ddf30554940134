package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

var update = flag.Bool("update", false, "record anew what the BIRDs say")

// text is the short form of a route in a test's table.
func (r Route) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Net, r.Protocol)
	for _, flag := range []struct {
		set  bool
		name string
	}{{r.BGP, "bgp"}, {!r.Best, "other"}, {r.Interface != "", r.Interface}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	if r.Metric != nil {
		fmt.Fprintf(&b, " metric %d", *r.Metric)
	}
	if r.LocalPref != nil {
		fmt.Fprintf(&b, " pref %d", *r.LocalPref)
	}
	switch n := len(r.Path); {
	case n > 40:
		b.WriteString(" path cut short") // BIRD does not say all of it
	case n > 0:
		fmt.Fprintf(&b, " path %v", r.Path)
	}
	for _, list := range []struct {
		name  string
		n     int
		value any
	}{{"communities", len(r.Communities), r.Communities}, {"large", len(r.LargeCommunities), r.LargeCommunities}} {
		switch {
		case list.n > 20:
			fmt.Fprintf(&b, " %s: %d", list.name, list.n)
		case list.n > 0:
			fmt.Fprintf(&b, " %s %v", list.name, list.value)
		}
	}
	return b.String()
}

func routeTexts(routes []Route) []string {
	texts := make([]string, len(routes))
	for i, r := range routes {
		texts[i] = r.text()
	}
	slices.Sort(texts)
	return texts
}

// wantRoutes are the routes of the BIRD that TestRoutesLive looks at. BIRD 1 has a
// daemon for each family, says nothing of other tables, and does not show the metric
// that a filter gave a route from a peer.
func wantRoutes(daemon string) []string {
	v4 := []string{
		"10.1.0.1/32 k4 cali1 metric 0",
		"10.1.0.2/32 k4 cali1 metric 512",
		"10.2.0.0/24 Mesh_10_9_0_2 bgp other eth0 pref 100 path [64513]",
		"10.2.0.0/24 s4 eth0",
		"10.2.1.0/24 Mesh_10_9_0_2 bgp eth0 pref 200 path [64513] communities [[64513 1] [65535 65281]] large [[1 2 3] [64513 1 4200000000]]",
		"10.2.2.0/24 Mesh_10_9_0_2 bgp eth0 pref 100 path [64513 65001 4200000000]",
		"10.2.3.0/24 Mesh_10_9_0_2 bgp eth0 metric 5 pref 100 path [64513]",
		"10.2.4.0/24 Mesh_10_9_0_2 bgp pref 100 path [64513]",
		"10.2.5.0/24 Mesh_10_9_0_2 bgp eth0 pref 100 path [64513] communities: 250 large: 150",
		"10.2.6.0/24 Mesh_10_9_0_2 bgp eth0 pref 100 path cut short",
		"10.3.0.0/24 s4",
		"10.3.1.0/24 s4",
		"10.3.2.0/24 s4",
		"10.3.3.0/24 s4 eth0",
		"10.4.0.0/24 s_more",
		"10.9.0.0/24 direct1 eth0",
	}
	v6 := []string{
		"fd00:1::1/128 k6 cali1 metric 1024",
		"fd00:1::2/128 k6 cali1 metric 512",
		"fd00:2::/64 Mesh_fd00_9__2 bgp eth0 pref 100 path [64513 65001] large [[64513 1 2]]",
		"fd00:3::/64 s6",
		"fd00:9::/64 direct1 eth0",
	}
	switch daemon {
	case "1.6.8-bird6":
		return v6
	case "1.6.8":
		i := slices.Index(v4, "10.4.0.0/24 s_more")
		v4 = slices.Delete(v4, i, i+1)
		for i := range v4 {
			v4[i] = strings.Replace(v4[i], "metric 5 ", "", 1)
		}
		return v4
	}
	return slices.Concat(v4, v6)
}

// daemons are the BIRDs whose routes are looked at: what each is recorded as.
func daemons() []string { return append(testenv.BirdVersions(), "1.6.8-bird6") }

func recordedRoutes(daemon string) string { return filepath.Join("testdata", "routes", daemon+".txt") }

func parseRoutes(text string, limit int) ([]Route, error) {
	p := newRouteParser(limit)
	_, err := eachLine(bufio.NewReader(strings.NewReader(text)), maxRoutesText, p.line)
	return p.list, err
}

func TestRoutesRecorded(t *testing.T) {
	for _, daemon := range daemons() {
		routes, err := parseRoutes(read(t, recordedRoutes(daemon)), maxRoutes)
		if err != nil {
			t.Fatal(err)
		}
		diffRoutes(t, daemon, routes)
	}
}

func diffRoutes(t *testing.T, daemon string, routes []Route) {
	t.Helper()
	if got, want := routeTexts(routes), wantRoutes(daemon); !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", daemon, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRoutesLive asks each BIRD for its routes, of all kinds. With -update it records
// what they say.
func TestRoutesLive(t *testing.T) {
	lab := testenv.NewLab(t, routeHost("a", 1), routeHost("b", 2))
	lab.Exec("a", "ip", "tuntap", "add", "cali1", "mode", "tap")
	for _, command := range []string{"link set cali1 up", "route add 10.1.0.1/32 dev cali1 scope link", "route add 10.1.0.2/32 dev cali1 scope link metric 512",
		"-6 route add fd00:1::1/128 dev cali1", "-6 route add fd00:1::2/128 dev cali1 metric 512"} {
		lab.Exec("a", append([]string{"ip"}, strings.Fields(command)...)...)
	}
	startBIRD(t, "2.0.12", routesOfPeer(), testenv.InNetns(lab.NS("b")))
	for _, daemon := range daemons() {
		version, six := strings.CutSuffix(daemon, "-bird6")
		options := []testenv.BirdOption{testenv.InNetns(lab.NS("a"))}
		if six {
			options = append(options, testenv.AsBird6())
		}
		d := startBIRD(t, version, routesOf(daemon), options...)
		eventually(t, func() error { return allRoutes(d.Socket, daemon) })
		c := client(t, d.Socket)
		routes, err := c.Routes(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		diffRoutes(t, daemon, routes)
		if _, err := c.Status(testContext(t)); err != nil {
			t.Errorf("%s: the connection is of no more use: %v", daemon, err)
		}
		if _, err := client(t, d.Socket).routes(testContext(t), 3); !errors.Is(err, ErrManyRoutes) {
			t.Errorf("%s: more than three routes: %v", daemon, err)
		}
		if *update {
			record(t, d.Socket, daemon)
		}
		d.Kill()
	}
}

func routeHost(name string, n int) testenv.Host {
	return testenv.Host{Name: name, Addrs: []netip.Prefix{
		netip.MustParsePrefix(fmt.Sprintf("10.9.0.%d/24", n)), netip.MustParsePrefix(fmt.Sprintf("fd00:9::%d/64", n)),
	}}
}

// allRoutes says what is missing of the routes of a BIRD that came up.
func allRoutes(socket, daemon string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Dial(ctx, socket)
	if err != nil {
		return err
	}
	defer c.Close()
	routes, err := c.Routes(ctx)
	if err == nil && len(routes) < len(wantRoutes(daemon)) {
		return fmt.Errorf("%s: only\n%s", daemon, strings.Join(routeTexts(routes), "\n"))
	}
	return err
}

// record writes down what a BIRD says, as it says it.
func record(t *testing.T, socket, daemon string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(conn)
	if _, err := readReply(br); err != nil {
		t.Fatal(err)
	}
	command := "show route table all all\n"
	if strings.HasPrefix(daemon, "1.") {
		command = "show route all\n"
	}
	if _, err := conn.Write([]byte(command)); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := []byte{}; !bytes.HasPrefix(line, []byte("0000 ")); {
		if line, err = readLine(br); err != nil {
			t.Fatal(err)
		}
		text.WriteString(string(line) + "\n")
	}
	write(t, recordedRoutes(daemon), text.String())
}

// routesOfPeer is the configuration of a BIRD that tells of routes with all that
// routes can have.
func routesOfPeer() string {
	var communities, path strings.Builder
	for i := range 250 {
		fmt.Fprintf(&communities, "bgp_community.add((64513,%d)); ", i)
		if i < 150 {
			fmt.Fprintf(&communities, "bgp_large_community.add((64513,%d,4200000000)); ", i)
		}
	}
	for range 400 {
		path.WriteString("bgp_path.prepend(4200000000); ")
	}
	return `router id 10.9.0.2;
protocol device {}
protocol static s4 { ipv4;
  route 10.2.0.0/24 blackhole;
  route 10.2.1.0/24 blackhole { bgp_community.add((64513,1)); bgp_community.add((65535,65281));
    bgp_large_community.add((64513,1,4200000000)); bgp_large_community.add((1,2,3)); };
  route 10.2.2.0/24 blackhole { bgp_path.prepend(4200000000); bgp_path.prepend(65001); };
  route 10.2.3.0/24 blackhole { bgp_ext_community.add((rt, 1, 2)); bgp_med = 77; };
  route 10.2.4.0/24 blackhole { bgp_next_hop = 10.99.0.1; };
  route 10.2.5.0/24 blackhole { ` + communities.String() + `};
  route 10.2.6.0/24 blackhole { ` + path.String() + `};
}
protocol static s6 { ipv6; route fd00:2::/64 blackhole { bgp_large_community.add((64513,1,2)); bgp_path.prepend(65001); }; }
protocol bgp b4 { local 10.9.0.2 as 64513; neighbor 10.9.0.1 as 64512; multihop; connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import none; export all; next hop keep; }; }
protocol bgp b6 { local fd00:9::2 as 64513; neighbor fd00:9::1 as 64512; direct; connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv6 { import none; export all; }; }
`
}

// routesOf is the configuration of a BIRD that has routes of all kinds.
func routesOf(daemon string) string {
	const (
		head    = "router id 10.9.0.1;\nprotocol device {}\n"
		static4 = "route 10.3.0.0/24 blackhole; route 10.3.1.0/24 unreachable; route 10.3.2.0/24 prohibit; route 10.2.0.0/24 via \"eth0\";"
		static6 = "route fd00:3::/64 blackhole;"
		filter  = "filter { if net = 10.2.1.0/24 then bgp_local_pref = 200; if net = 10.2.3.0/24 then krt_metric = 5; accept; }"
		bgp4    = "local 10.9.0.1 as 64512; neighbor 10.9.0.2 as 64513; multihop; connect delay time 1; error wait time 1, 1;"
		bgp6    = "local fd00:9::1 as 64512; neighbor fd00:9::2 as 64513; direct; connect delay time 1; error wait time 1, 1;"
	)
	switch daemon {
	case "1.6.8":
		return head + "table t_more;\nprotocol direct {}\nprotocol kernel k4 { import all; export none; learn; }\n" +
			"protocol static s4 { " + static4 + " route 10.3.3.0/24 multipath via 10.9.0.2 via 10.9.0.3; }\n" +
			"protocol static s_more { table t_more; route 10.4.0.0/24 blackhole; }\n" +
			"protocol bgp Mesh_10_9_0_2 { " + bgp4 + " import " + filter + "; export none; }\n"
	case "1.6.8-bird6":
		return head + "protocol direct {}\nprotocol kernel k6 { import all; export none; learn; }\nprotocol static s6 { " + static6 + " }\n" +
			"protocol bgp Mesh_fd00_9__2 { " + bgp6 + " import all; export none; }\n"
	}
	return head + "ipv4 table t_more;\nroa4 table t_roas;\nprotocol direct { ipv4; ipv6; }\n" +
		"protocol kernel k4 { ipv4 { import all; export none; }; learn; }\nprotocol kernel k6 { ipv6 { import all; export none; }; learn; }\n" +
		"protocol static s4 { ipv4; " + static4 + " route 10.3.3.0/24 via 10.9.0.2 via 10.9.0.3; }\n" +
		"protocol static s6 { ipv6; " + static6 + " }\n" +
		"protocol static s_more { ipv4 { table t_more; }; route 10.4.0.0/24 blackhole; }\n" +
		"protocol static s_roas { roa4 { table t_roas; }; route 10.0.0.0/8 max 24 as 65000; }\n" +
		"protocol bgp Mesh_10_9_0_2 { " + bgp4 + " ipv4 { import " + filter + "; export none; }; }\n" +
		"protocol bgp Mesh_fd00_9__2 { " + bgp6 + " ipv6 { import all; export none; }; }\n"
}

// What no BIRD says is read as far as it makes sense.
func TestRoutesOdd(t *testing.T) {
	text := strings.Join([]string{
		"1007-Table master4:",
		" 10.0.0.0/8 via 10.9.0.2 on [evil onlink [p1 12:00] * (100)", // an interface may be called so
		"1008-\tType: BGP unicast univ",
		"1012-\tBGP.as_path: (65001 65002) 65003 {65004 65005} 65006",
		" \tBGP.community: (1,2) (3,4,5) (6,x) 7",
		" \t\t(8,9)",
		" \tBGP.local_pref: -1",
		"1007-\tvia 10.9.0.3 on eth1",
		"1007-65000:1 10.1.0.0/16 unicast [p2 12:00] * (100)", // of a VPN
		"1012-\tBGP.as_path: 65009",
		"1007-            unicast [p3 12:00] (100)",
		"1007-10.2.0.0/16 dev",
		"1007-10.3.0.0/16 via 10.0.0.1",
		"1007-10.4.0.0/16 unicast",
		"1007-10.5.0.0/16-24 AS65000 [p4 12:00] * (100)",
		"1007-10.6.0.0/16 blackhole [p5]",
		"1007-",
		"0000 ",
	}, "\n") + "\n"
	routes, err := parseRoutes(text, maxRoutes)
	want := []string{"10.0.0.0/8 p1 bgp [evil path [65001 65002 65003] communities [[1 2] [8 9]]", "10.6.0.0/16 p5 other"}
	if got := routeTexts(routes); err != nil || !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s (%v)", strings.Join(got, "\n"), strings.Join(want, "\n"), err)
	}
	if _, err := parseRoutes(text, 1); !errors.Is(err, ErrManyRoutes) || !strings.Contains(err.Error(), "more than 1") {
		t.Errorf("two routes where one is the limit: %v", err)
	}
}

func FuzzRoutes(f *testing.F) {
	for _, daemon := range daemons() {
		f.Add(read(f, recordedRoutes(daemon)))
	}
	f.Add("1007-10.0.0.0/8 via a on [b [c] * \n1012-\tBGP.community: (1,2) (\n \t\t(3,4)\n \t\n1007-\tdev\n1007-  dev x [y z\n0000 \n")
	f.Fuzz(func(t *testing.T, text string) {
		rows := strings.Count(text, "\n")
		routes, err := parseRoutes(text, 100)
		if len(routes) > min(100, rows) || err != nil && errors.Is(err, ErrManyRoutes) && len(routes) != 100 {
			t.Fatalf("%d routes from %d lines: %v", len(routes), rows, err)
		}
		for _, r := range routes {
			if !r.Net.IsValid() || strings.ContainsAny(r.Protocol+r.Interface, " \t\n") {
				t.Fatalf("%+v", r)
			}
		}
	})
}

package onlink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"confd/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// machine is a kernel with two interfaces, and the BIRD that runs there.
type machine struct {
	found
	refuses error           // to add stand-ins
	deaf    error           // BIRD's, when asked
	forgot  map[string]bool // what BIRD does not know
	asked   int
}

func newMachine() *machine {
	return &machine{found: found{addresses: map[link]int{}, routes: map[link]bool{}, standIns: map[link]bool{}}, forgot: map[string]bool{}}
}

func (m *machine) find() (found, error) {
	return found{maps.Clone(m.addresses), maps.Clone(m.routes), maps.Clone(m.standIns)}, nil
}

func (m *machine) add(l link) error {
	if m.refuses != nil {
		return m.refuses
	}
	m.standIns[l] = true
	return nil
}

func (m *machine) remove(l link) error { delete(m.standIns, l); return nil }

func (m *machine) knows(_ context.Context, net netip.Prefix) (bool, error) {
	m.asked++
	return !m.forgot[net.String()], m.deaf
}

// has gives an interface so many addresses, as "fd00::/64 eth0 2"; -2 are two without a
// route of the kernel's.
func (m *machine) has(text string) {
	var net, iface string
	var n int
	if _, err := fmt.Sscan(text, &net, &iface, &n); err != nil {
		panic(err)
	}
	l := link{netip.MustParsePrefix(net), iface}
	m.addresses[l], m.routes[l] = max(n, -n), n > 0
	if n == 0 {
		delete(m.addresses, l)
	}
}

// TestLook tells of a machine step by step: what it has, what BIRD has forgotten, and
// what is done then.
func TestLook(t *testing.T) {
	type step struct {
		has     []string
		forgot  string
		refuses error
		deaf    error
		want    string // "+" added, "-" taken away, "!" BIRD had lost it, "x" not held
		asked   int    // questions to BIRD
	}
	for name, steps := range map[string][]step{
		"one address": {{has: []string{"fd00::/64 eth0 1"}, asked: 1}, {}},
		"a second one comes and goes": {
			{has: []string{"fd00::/64 eth0 1"}, asked: 1}, {has: []string{"fd00::/64 eth0 2"}, want: "+fd00::/64 eth0"}, {},
			{has: []string{"fd00::/64 eth0 1"}}, {has: []string{"fd00::/64 eth0 0"}, want: "-fd00::/64 eth0"}, {},
		},
		"forgotten before the program came":    {{has: []string{"fd00::/64 eth0 1"}, forgot: "fd00::/64", want: "+!fd00::/64 eth0", asked: 1}, {}},
		"two went at once":                     {{has: []string{"fd00::/64 eth0 3"}, want: "+fd00::/64 eth0"}, {has: []string{"fd00::/64 eth0 1"}}},
		"an interface that BIRD does not take": {{has: []string{"fd00::/64 cali1 2", "fd00::/64 lo 2"}}},
		"no route of the kernel's":             {{has: []string{"fd00::/64 eth0 -2"}}},
		"two interfaces in one network": {
			{has: []string{"fd00::/64 eth0 2", "fd00::/64 eth1 2"}, want: "+fd00::/64 eth0 +fd00::/64 eth1"},
			{has: []string{"fd00::/64 eth1 0"}, want: "-fd00::/64 eth1"},
		},
		"one that is there, and not in the kernel's list": {
			{has: []string{"fd00::/64 eth0 2"}, refuses: syscall.EEXIST},
		},
		"the kernel refuses": {
			{has: []string{"fd00::/64 eth0 2"}, refuses: syscall.EPERM, want: "xfd00::/64 eth0"},
			{has: []string{"fd00::/64 eth0 1"}, refuses: syscall.EPERM, asked: 1},
			{has: []string{"fd00::/64 eth0 2"}, refuses: syscall.EPERM, want: "xfd00::/64 eth0"},
			{has: []string{"fd00::/64 eth0 1"}, refuses: syscall.EPERM, forgot: "fd00::/64", want: "x!fd00::/64 eth0", asked: 1},
			{forgot: "fd00::/64", want: "+!fd00::/64 eth0", asked: 1},
		},
		"BIRD does not answer": {
			{has: []string{"fd00::/64 eth0 1"}, deaf: errors.New("deaf"), asked: 1}, {forgot: "fd00::/64", want: "+!fd00::/64 eth0", asked: 1},
		},
	} {
		m := newMachine()
		k := &Keeper{kernel: m, counts: map[link]int{}}
		for i, s := range steps {
			for _, text := range s.has {
				m.has(text)
			}
			m.refuses, m.deaf, m.asked = s.refuses, s.deaf, 0
			m.forgot = map[string]bool{s.forgot: true}
			changes, err := k.Look(t.Context(), []string{"-cali*", "-lo", "*"}, m.knows)
			if got := told(changes, err); got != s.want || m.asked != s.asked {
				t.Errorf("%s, step %d: %q with %d questions, want %q with %d (%v)", name, i, got, m.asked, s.want, s.asked, err)
			}
			if s.deaf != nil && !errors.Is(err, s.deaf) || s.deaf == nil && (err != nil) != strings.Contains(s.want, "x") {
				t.Errorf("%s, step %d: %v", name, i, err)
			}
			if s.refuses != nil && err != nil && !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
				t.Errorf("%s, step %d: it is not said what allows it: %v", name, i, err)
			}
		}
	}
}

func told(changes []Change, err error) string {
	var words []string
	for _, c := range changes {
		mark := map[bool]string{true: "+", false: "-"}[c.Added]
		if c.Forgotten {
			mark += "!"
		}
		words = append(words, mark+c.Net.String()+" "+c.Interface)
	}
	for _, e := range notHeld(err) {
		mark := "x"
		if e.Forgotten {
			mark += "!"
		}
		words = append(words, mark+e.Net.String()+" "+e.Interface)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func notHeld(err error) []*NotHeldError {
	var list []*NotHeldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			var e *NotHeldError
			if errors.As(one, &e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// Of the networks that are not held those are lost that BIRD has forgotten, wherever
// they stand.
func TestLost(t *testing.T) {
	held := func(net string, forgotten bool) error {
		return &NotHeldError{Net: netip.MustParsePrefix(net), Forgotten: forgotten, Err: syscall.EPERM}
	}
	err := errors.Join(held("fd01::/64", false), errors.New("another"), errors.Join(held("fd02::/64", true)), fmt.Errorf("more: %w", held("fd03::/64", true)))
	var got []string
	for _, e := range Lost(err) {
		got = append(got, e.Net.String())
	}
	if !slices.Equal(got, []string{"fd02::/64", "fd03::/64"}) || Lost(nil) != nil {
		t.Error(got)
	}
}

// Patterns are BIRD's: the first that fits decides.
func TestMatches(t *testing.T) {
	for _, test := range []struct {
		patterns, name string
		want           bool
	}{
		{"-cali* -kube-ipvs* *", "eth0", true}, {"-cali* -kube-ipvs* *", "cali123", false}, {"-cali* -kube-ipvs* *", "kube-ipvs0", false},
		{"eth?", "eth0", true}, {"eth?", "eth", false}, {"eth?", "eth10", false}, {"eth0", "eth0", true}, {"eth0", "eth01", false},
		{"e*0", "eth10", true}, {"e*0", "eth01", false}, {"*", "", true}, {"", "", true}, {"?", "", false}, {"**", "x", true}, {"", "eth0", false},
		{"eth0 -eth*", "eth0", true}, {"-eth* eth0", "eth0", false},
	} {
		if got := matches(strings.Split(test.patterns, " "), test.name); got != test.want {
			t.Errorf("%q and %q: %t", test.patterns, test.name, got)
		}
	}
}

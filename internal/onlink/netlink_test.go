package onlink

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// run runs a command in the namespaces of the test process.
func run(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// The kernel of a namespace with two interfaces in one network: stand-ins of both stand
// beside its own routes, and go one by one.
func TestNetlink(t *testing.T) {
	if os.Getenv("CONFD_LAB_INSIDE") != "yes" {
		t.Skip("it takes root, and namespaces")
	}
	for _, command := range []string{
		"ip link add one type veth peer name two", "ip link set one up", "ip link set two up", "ip addr add fd00::1/64 dev one nodad", "ip addr add fd00::2/64 dev one nodad",
		"ip addr add fd00::3/64 dev two nodad", "ip addr add fd02::1/128 dev two nodad", "ip -6 route add fd03::/64 via fd00::9", "ip -6 route add fd04::/64 dev two",
	} {
		run(t, command)
	}
	defer run(t, "ip link del one")
	one, two := link{netip.MustParsePrefix("fd00::/64"), "one"}, link{netip.MustParsePrefix("fd00::/64"), "two"}
	look := func(standIns ...link) {
		t.Helper()
		want := found{addresses: map[link]int{one: 2, two: 1}, routes: map[link]bool{one: true, two: true}, standIns: map[link]bool{}}
		for _, l := range standIns {
			want.standIns[l] = true
		}
		got, err := netlinkKernel{}.find()
		for l, is := range got.routes { // of others it is not asked
			if !is {
				delete(got.routes, l)
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v (%v), want %+v", got, err, want)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	look()
	do(netlinkKernel{}.add(one))
	look(one)
	if err := (netlinkKernel{}).add(one); !errors.Is(err, fs.ErrExist) {
		t.Errorf("adding it again: %v", err)
	}
	look(one)
	do(netlinkKernel{}.add(two))
	look(one, two)
	if text := run(t, "ip -6 route show proto 179"); strings.Count(text, "fd00::/64") != 2 || strings.Count(text, "metric 1073741824") != 2 {
		t.Errorf("the kernel has %s", text)
	}
	do(netlinkKernel{}.remove(one))
	look(two)
	do(netlinkKernel{}.remove(two))
	look()
	if err := (netlinkKernel{}).remove(two); err == nil {
		t.Error("what is not there is taken away")
	}
	if err := (netlinkKernel{}).add(link{one.net, "none"}); err == nil {
		t.Error("an interface that is not there")
	}
}

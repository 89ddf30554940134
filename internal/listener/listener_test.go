package listener

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Tables as Linux prints them: sockets that listen, one that is connected, and two of
// IPv6.
const (
	tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0000000000000000 100 0 0 10 0
   1: 0100007F:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1 0000000000000000 100 0 0 10 0
   2: 0100007F:00B3 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1003 1 0000000000000000 100 0 0 10 0
   3: 0202000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1004 1 0000000000000000 100 0 0 10 0
`
	tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:00B3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1005 1 0000000000000000 100 0 0 10 0
   1: B80D0120000000000000000001000000:00B3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1006 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000202000A:00B3 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1007 1 0000000000000000 100 0 0 10 0
`
)

// procOf makes a folder as /proc is: tables of sockets, and processes with their names
// and what they have open.
func procOf(t *testing.T, tables map[string]string, processes map[string][]string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range tables {
		write("self/net/"+name, text)
	}
	for process, open := range processes {
		pid, name, _ := strings.Cut(process, " ")
		if name != "" {
			write(pid+"/comm", name+"\n")
		}
		for i, target := range open {
			link := filepath.Join(dir, pid, "fd", fmt.Sprint(i))
			if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestOn(t *testing.T) {
	proc := procOf(t, map[string]string{"tcp": tcp, "tcp6": tcp6}, map[string][]string{
		"11 gobgpd": {"/dev/null", "socket:[1001]", "socket:[1005]"}, "12 speaker": {"socket:[1006]", "socket:[9]"}, "13": {"socket:[1007]"}, "14 web": {"socket:[1004]"},
		"15 bird": nil,
	})
	const unseen = "a process that is not seen from here"
	for _, test := range []struct {
		port    uint16
		address string // empty: any
		want    []string
	}{
		{179, "10.0.2.2", []string{"0.0.0.0:179 gobgpd (process 11)", "10.0.2.2:179 " + unseen, "[::]:179 gobgpd (process 11)"}},
		{179, "127.0.0.1", []string{"0.0.0.0:179 gobgpd (process 11)", "127.0.0.1:179 " + unseen, "[::]:179 gobgpd (process 11)"}},
		{179, "2001:db8::1", []string{"[2001:db8::1]:179 speaker (process 12)", "[::]:179 gobgpd (process 11)"}},
		{179, "2001:db8::2", []string{"[::]:179 gobgpd (process 11)"}},
		{179, "0.0.0.0", []string{"0.0.0.0:179 gobgpd (process 11)", "10.0.2.2:179 " + unseen, "127.0.0.1:179 " + unseen, "[::]:179 gobgpd (process 11)"}},
		{179, "::", []string{"[2001:db8::1]:179 speaker (process 12)", "[::]:179 gobgpd (process 11)"}},
		{8080, "", []string{"10.0.2.2:8080 web (process 14)"}},
		{8080, "10.0.2.3", nil},
		{50000, "", nil}, // connected, and does not listen
	} {
		address, _ := netip.ParseAddr(test.address)
		var got []string
		for _, p := range On(proc, test.port, address) {
			got = append(got, p.Address.String()+" "+p.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("port %d at %q:\ngot  %q\nwant %q", test.port, test.address, got, test.want)
		}
	}
	if got := On(t.TempDir(), 179, netip.Addr{}); got != nil {
		t.Errorf("where nothing can be read: %v", got)
	}
}

// The tables of the machine that the test runs on have a socket of its own, and its
// process.
func TestOnThisMachine(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Skip(err) // no such address family
		}
		defer l.Close()
		want := l.Addr().(*net.TCPAddr).AddrPort()
		got := On("/proc", want.Port(), want.Addr())
		if len(got) != 1 || got[0].PID != os.Getpid() || got[0].Name == "" || got[0].Address != want {
			t.Errorf("on %s: %+v", want, got)
		}
	}
}

// Whatever a table says, what is read of it are addresses that it has there.
func FuzzListening(f *testing.F) {
	for _, text := range []string{tcp, tcp6, "", "0: : : 0A", "0: 00:00B3 0 0A 0 0 0 0 0 7", strings.Repeat("x ", 40000), "0: 00000000:FFFFF 0 0A 0 0 0 0 0 7\n0: 0100007f:b3 0 0A 0 0 0 0 0 7"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range listening(strings.NewReader(text)) {
			if !s.at.IsValid() || s.at.Addr().Is4In6() || s.inode == "" || strings.ContainsAny(s.inode, " \n") {
				t.Fatalf("%+v of %q", s, text)
			}
			upper := strings.ToUpper(text)
			written := func(a netip.Addr) bool { return strings.Contains(upper, strings.ToUpper(linux(a))) }
			as16 := netip.AddrFrom16(s.at.Addr().As16())
			if !written(s.at.Addr()) && !written(as16) || !strings.Contains(text, s.inode) {
				t.Fatalf("%s (%s) does not stand in %q", s.at, linux(s.at.Addr()), text)
			}
		}
	})
}

// linux writes an address as a little-endian Linux does.
func linux(a netip.Addr) string {
	bytes := a.AsSlice()
	for i := 0; i < len(bytes); i += 4 {
		binary.BigEndian.PutUint32(bytes[i:], binary.LittleEndian.Uint32(bytes[i:]))
	}
	return hex.EncodeToString(bytes)
}

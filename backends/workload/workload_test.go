package workload

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"confd/backends"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func status(peer, addr string) string {
	return fmt.Sprintf(`{"ifaceName":"cali1","ipv4Nets":[%q],"ipv6Nets":["fd00::1/128"],"bgpPeerName":%q}`, addr+"/32", peer)
}

func text(e backends.Event) string {
	s, ok := e.Resource.(*backends.EndpointStatus)
	switch {
	case e.Err != nil:
		return e.Key.Name + ": " + e.Err.Error()
	case !ok:
		return e.Key.Name + " gone"
	}
	return fmt.Sprintf("%s %s %s %s %s", s.Name, s.BGPPeer, s.Interface, s.IPv4, s.IPv6)
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good"), status("peer", "10.0.0.1"))
	write(t, filepath.Join(dir, "no-bgp"), `{"ifaceName":"cali2","ipv4Nets":["10.0.0.2/32"]}`)
	write(t, filepath.Join(dir, ".hidden"), status("peer", "10.0.0.3"))
	write(t, filepath.Join(dir, "bad"), `{"bgpPeerName`)
	write(t, filepath.Join(dir, "foreign"), status("peer", "fd00::2"))
	write(t, filepath.Join(dir, "large"), strings.Repeat(" ", maxFileBytes+1))
	os.Mkdir(filepath.Join(dir, "folder"), 0o755)
	events, err := Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, text(e))
	}
	want := []string{"bad: not JSON: unexpected EOF", `foreign: ipv4Nets[0]: "fd00::2/32" is not an IPv4 address`,
		"good peer cali1 10.0.0.1 fd00::1", "large: is larger than 1048576 bytes"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLoadErrors(t *testing.T) {
	if events, err := Load(t.Context(), filepath.Join(t.TempDir(), "missing")); err != nil || len(events) > 0 {
		t.Error("a missing folder is not simply empty:", events, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	if _, err := Load(t.Context(), file); err == nil {
		t.Error("a file is taken for a folder")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no folder is taken for one")
	}
}

func TestRun(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "run", "endpoint-status")
	b, err := New(Config{Dir: dir, PollInterval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	updates := make(chan backends.Update)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Run(ctx, updates); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer cancel()

	state := map[string]string{}
	until := func(inSync bool, want ...string) {
		t.Helper()
		deadline := time.After(20 * time.Second)
		for {
			select {
			case u := <-updates:
				for _, e := range u.Events {
					if state[e.Key.Name] = text(e); e.Resource == nil && e.Err == nil {
						delete(state, e.Key.Name)
					}
				}
				var got []string
				for _, s := range state {
					got = append(got, s)
				}
				slices.Sort(got)
				if u.Source == Source && u.InSync == inSync && slices.Equal(got, want) {
					return
				}
			case <-deadline:
				t.Fatalf("got %v, want %v", state, want)
			}
		}
	}
	until(true)
	os.MkdirAll(dir, 0o755)
	write(t, filepath.Join(dir, "a"), status("p", "10.0.0.1"))
	until(true, "a p cali1 10.0.0.1 fd00::1")
	write(t, filepath.Join(dir, "tmp.b"), `{}`)
	write(t, filepath.Join(dir, "a"), status("q", "10.0.0.2"))
	until(true, "a q cali1 10.0.0.2 fd00::1")
	write(t, filepath.Join(dir, "a"), `{"bgpPeerName": "q", "ipv4Nets": `)
	until(true, "a: not JSON: unexpected EOF")
	write(t, filepath.Join(dir, "a"), status("q", "10.0.0.2"))
	until(true, "a q cali1 10.0.0.2 fd00::1")
	// Something in the way is no empty folder.
	os.Rename(dir, dir+".old")
	write(t, dir, "")
	until(false, "a q cali1 10.0.0.2 fd00::1")
	os.Remove(dir)
	until(true)
	os.Rename(dir+".old", dir)
	until(true, "a q cali1 10.0.0.2 fd00::1")
	os.Remove(filepath.Join(dir, "a"))
	until(true)
}

package control

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// BenchmarkRoutes asks BIRD for 10,000 routes with a path and communities: what that
// costs BIRD, and us, in CPU time.
func BenchmarkRoutes(b *testing.B) {
	var conf strings.Builder
	conf.WriteString(small + "protocol static { ipv4;\n")
	for i := range 10_000 {
		fmt.Fprintf(&conf, "route 10.%d.%d.0/24 blackhole { bgp_path.prepend(65001); bgp_path.prepend(64513); "+
			"bgp_community.add((64513,%d)); bgp_large_community.add((64513,1,%d)); bgp_local_pref = 100; };\n", i>>8, i&255, i, i)
	}
	conf.WriteString("}\n")
	path := filepath.Join(b.TempDir(), "bird.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o640); err != nil {
		b.Fatal(err)
	}
	for _, version := range testenv.BirdVersions()[1:] {
		b.Run(version, func(b *testing.B) {
			d := testenv.StartBird(b, version, path)
			c, err := Dial(context.Background(), d.Socket)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			began, theirs := ownCPU(b), processCPU(b, d.Pid())
			for b.Loop() {
				routes, err := c.Routes(context.Background())
				if err != nil || len(routes) != 10_000 {
					b.Fatalf("%d routes, %v", len(routes), err)
				}
			}
			b.ReportMetric(milliseconds(ownCPU(b)-began)/float64(b.N), "cpu-ms/op")
			b.ReportMetric(milliseconds(processCPU(b, d.Pid())-theirs)/float64(b.N), "bird-cpu-ms/op")
			b.ReportAllocs()
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ownCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// processCPU is how long another process has worked, in steps of 10 ms.
func processCPU(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	words := strings.Fields(after)
	var ticks int
	for _, w := range words[11:13] {
		n, err := strconv.Atoi(w)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

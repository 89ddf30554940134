package main

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/internal/settings"
	"confd/internal/testenv"
)

// renderCase renders a folder of testdata/golden for node-1, and returns the
// exit code and what the program logged.
func renderCase(t *testing.T, dir, bird, output string) (int, string) {
	t.Helper()
	env := map[string]string{"NODENAME": "node-1", "CALICO_ENDPOINT_STATUS_PATH_PREFIX": dir}
	var stdout, stderr bytes.Buffer
	p := program{
		around: settings.Surroundings{LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }, Hostname: os.Hostname},
		stdout: &stdout, stderr: &stderr, run: run, render: render,
	}
	code := p.execute(context.Background(), []string{
		"render", "--data", filepath.Join(dir, "data.yaml"), "--bird", bird, "--output", output,
		"--confdir", "/nonexistent", "--log-level", "error",
	})
	return code, stderr.String()
}

// filesOf are the files that BIRD of that version reads.
func filesOf(version string) []string {
	if version[0] == '1' {
		return []string{"bird.cfg", "bird6.cfg"}
	}
	return []string{"bird.conf"}
}

// TestGolden renders each case for each BIRD. Every result is given to that
// BIRD's own check, and the daemon runs it.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/golden/*/data.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, data := range cases {
		dir := filepath.Dir(data)
		needsTunnel := filepath.Base(dir) == "tunnel"
		for _, version := range testenv.BirdVersions() {
			t.Run(filepath.Base(dir)+"/"+version, func(t *testing.T) {
				t.Parallel()
				out := t.TempDir()
				code, logged := renderCase(t, dir, version, out)
				if needsTunnel && version[0] != '1' {
					if code != exitFailed || !strings.Contains(logged, "programClusterRoutes") {
						t.Errorf("got exit code %d and %q, want %d and an error that names programClusterRoutes", code, logged, exitFailed)
					}
					return
				}
				if code != exitGood {
					t.Fatalf("exit code %d: %s", code, logged)
				}
				for _, name := range filesOf(version) {
					compareGolden(t, filepath.Join(dir, "bird-"+version, name), filepath.Join(out, name))
				}
				checkAndRun(t, version, out, needsTunnel)
			})
		}
	}
}

func compareGolden(t *testing.T, golden, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v (go test ./confd -run Golden -update writes it)", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// checkAndRun has BIRD check the files and run them; stock BIRD must refuse the
// one that needs Calico's fork.
func checkAndRun(t *testing.T, version, dir string, mustFail bool) {
	t.Helper()
	if version[0] == '1' {
		if mustFail {
			refuses(t, testenv.Bird(t, version), filepath.Join(dir, "bird.cfg"))
			return
		}
		testenv.CheckConfig(t, version, filepath.Join(dir, "bird.cfg"))
		testenv.CheckConfig6(t, version, filepath.Join(dir, "bird6.cfg"))
		return
	}
	conf := filepath.Join(dir, "bird.conf")
	testenv.CheckConfig(t, version, conf)
	lab := testenv.NewLab(t, testenv.Host{Name: "node-1", Addrs: []netip.Prefix{netip.MustParsePrefix("192.168.2.10/24"), netip.MustParsePrefix("fd00:2::10/64")}})
	b := testenv.StartBird(t, version, conf, testenv.InNetns(lab.NS("node-1")))
	status, err := b.Birdc("show status")
	if err != nil || !strings.Contains(status, "Daemon is up and running") {
		t.Errorf("show status: %q, %v", status, err)
	}
}

// refuses fails the test where the bird program accepts file, whose line with
// krt_tunnel stock BIRD cannot read.
func refuses(t *testing.T, program, file string) {
	t.Helper()
	if out, err := exec.Command(program, "-p", "-c", file).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("You may set only variables")) {
		t.Errorf("%s -p -c %s: got error %v and %q, want a refusal", program, file, err, out)
	}
}

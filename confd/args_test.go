package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"confd/internal/settings"
	"confd/internal/version"
)

// around returns surroundings with the given variables, on the host "Host-1".
func around(env map[string]string) settings.Surroundings {
	return settings.Surroundings{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Hostname:  func() (string, error) { return "Host-1", nil },
	}
}

// write puts content into a new file of that name, and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// called is what a command line led to.
type called struct {
	command        string
	settings       settings.Settings
	code           int
	stdout, stderr string
}

// call runs the command line with a run and a render that end with err.
func call(t *testing.T, err error, args ...string) called {
	t.Helper()
	var c called
	var stdout, stderr bytes.Buffer
	env := map[string]string{"ETCD_ENDPOINTS": "http://a:2379", "CONFD_CONFIG_FILE": write(t, "confd.toml", "")}
	p := program{
		about: version.Info{Version: "v1.2.3"}, around: around(env), stdout: &stdout, stderr: &stderr,
		run: func(_ context.Context, s settings.Settings) error {
			c.command, c.settings = settings.CommandRun, s
			return err
		},
		render: func(_ context.Context, s settings.Settings, stdout io.Writer) error {
			c.command, c.settings = settings.CommandRender, s
			fmt.Fprint(stdout, "rendered")
			return err
		},
	}
	c.code = p.execute(context.Background(), args)
	c.stdout, c.stderr = stdout.String(), stderr.String()
	return c
}

func TestArgsTwoDashes(t *testing.T) {
	for in, want := range map[string]string{
		"-onetime -confdir=/x -interval 5":   "--onetime --confdir=/x --interval 5",
		"--onetime --confdir /x":             "--onetime --confdir /x",
		"-prefix -onetime -noop":             "--prefix -onetime --noop",
		"--prefix=-onetime -noop=false":      "--prefix=-onetime --noop=false",
		"render -o -dir -strict":             "render -o -dir --strict",
		"render -o/tmp/x -output /y -h -v":   "render -o/tmp/x --output /y -h -v",
		"-help -version -run-once":           "--help --version --run-once",
		"-nosuch -etcd-password -x -onetime": "--nosuch --etcd-password -x --onetime",
		"-onetime -- -onetime -":             "--onetime -- -onetime -",
		"-":                                  "-",
		"plan -f/tmp/x.yaml -fx.yaml -f-":    "plan -f/tmp/x.yaml -fx.yaml -f-",
		"plan -filename /x -fail-on=y":       "plan --filename /x --fail-on=y",
		"status -w2s -owide -watch 2s":       "status -w2s -owide --watch 2s",
	} {
		args := strings.Fields(in)
		got := strings.Join(twoDashes(newTable(), args), " ")
		if got != want || strings.Join(args, " ") != in {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestArgsShorts: the letters of all flags may have their values behind them.
func TestArgsShorts(t *testing.T) {
	for _, c := range allCommands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			arg := "-" + f.Shorthand + "2.x"
			if f.Shorthand != "" && !slices.Equal(twoDashes(newTable(), []string{arg}), []string{arg}) {
				t.Errorf("%s: %s is taken for a long flag", c.CommandPath(), arg)
			}
		})
	}
}

func TestArgsRun(t *testing.T) {
	c := call(t, nil, "-onetime", "-confdir", "/x", "-prefix=/p", "-interval", "3", "-keep-stage-file", "-noop", "-sync-only=true", "--node", "n")
	if c.code != exitGood || c.command != settings.CommandRun || c.stderr != "" {
		t.Fatalf("%+v", c)
	}
	s := c.settings
	want := settings.Templates{ConfDir: "/x", Prefix: "/p", KeepStageFile: true, SyncOnly: true, Mode: 0o640, Owner: -1, Group: -1}
	if s.Templates != want || !s.OneTime || !s.Noop || s.Node != "n" || s.Timing.Interval != 3 {
		t.Errorf("%+v", s)
	}
	if c := call(t, nil, "--run-once"); !c.settings.OneTime {
		t.Error("--run-once is not --onetime")
	}
	if c := call(t, nil, "--onetime=false"); c.code != exitGood || c.settings.OneTime {
		t.Errorf("%+v", c)
	}
}

func TestArgsRender(t *testing.T) {
	for _, args := range [][]string{
		{"render", "-o", "/out", "--datastore", "file", "-data", "/a", "--data=/b,/c", "-strict"},
		{"-datastore=file", "-data", "/a", "-data", "/b", "-data", "/c", "render", "--output=/out", "--strict"},
	} {
		c := call(t, nil, args...)
		if c.code != exitGood || c.command != settings.CommandRender || c.stdout != "rendered" {
			t.Fatalf("%+v", c)
		}
		if s := c.settings; s.Output != "/out" || !s.Strict || !reflect.DeepEqual(s.Data, []string{"/a", "/b", "/c"}) {
			t.Errorf("%+v", s)
		}
	}
}

func TestArgsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"rendr":                        `confd: unknown command "rendr"; did you mean render? (see confd --help)`,
		"help rendr":                   `confd: unknown command "rendr"; did you mean render? (see confd --help)`,
		"render x":                     `confd: "x": confd render takes no arguments besides flags`,
		"-nosuch":                      `confd: unknown flag: --nosuch (see confd --help)`,
		"render --onetime":             `confd: unknown flag: --onetime; it is a flag of confd run (see confd render --help)`,
		"-o x":                         `confd: unknown shorthand flag: 'o' in -o (see confd --help)`,
		"--node":                       `confd: flag needs an argument: --node (see confd --help)`,
		"-onetime=perhaps":             `confd: --onetime: "perhaps": expected true or false`,
		"-run-once=perhaps":            `confd: --run-once: "perhaps": expected true or false`,
		"--etcd-password=hunter2":      `confd: unknown flag: --etcd-password (see confd --help)`,
		"version --node x":             `confd: unknown flag: --node (see confd version --help)`,
		"--bird-dir=x --check-timeout": `confd: flag needs an argument: --check-timeout (see confd --help)`,
	} {
		c := call(t, nil, strings.Fields(in)...)
		if c.code != exitUsage || c.stderr != want+"\n" || c.stdout != "" || c.command != "" {
			t.Errorf("%s: got %d %q %q %s, want %q", in, c.code, c.stderr, c.stdout, c.command, want)
		}
	}
}

func TestArgsExitCodes(t *testing.T) {
	c := call(t, errors.New("etcd is gone"), "render", "--node=x")
	if c.code != exitFailed || c.stderr != "confd: etcd is gone\n" {
		t.Errorf("%+v", c)
	}
	if c := call(t, fmt.Errorf("templates: %w", settings.Error{Err: errors.New("no conf.d")})); c.code != exitUsage {
		t.Errorf("%+v", c)
	}
}

func TestArgsVersionAndHelp(t *testing.T) {
	for _, arg := range []string{"version", "-version", "--version", "-v"} {
		if c := call(t, nil, arg); c.code != exitGood || c.stdout != "confd v1.2.3\n" {
			t.Errorf("%s: %+v", arg, c)
		}
	}
	want := call(t, nil, "--help").stdout
	for _, arg := range []string{"help", "-help", "-h"} {
		if c := call(t, nil, arg); c.code != exitGood || c.stdout != want || c.command != "" {
			t.Errorf("%s: %d %s", arg, c.code, c.stdout)
		}
	}
	whole := call(t, nil, "--help-all").stdout
	for part, text := range map[string]string{
		"  render ": want, "\nCommon settings:\n": want, "--onetime ": want, "-h, --help ": want, "\n" + settings.GroupEtcd + ":\n": whole, "--gather duration": whole,
		"[CONFD_GATHER]": whole,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("help lacks %q:\n%s", part, text)
		}
	}
	for _, part := range []string{"docs", "--output", "etcd-password"} {
		if strings.Contains(want, part) {
			t.Errorf("help has %q", part)
		}
	}
	if c := call(t, nil, "help", "render"); !strings.Contains(c.stdout, "-o, --output path") || strings.Contains(c.stdout, "--onetime") {
		t.Errorf("%+v", c)
	}
}

package templates

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func loadFiles(files map[string]string, opts Options) (*Engine, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Load(fsys, opts)
}

func TestResource(t *testing.T) {
	e, err := loadFiles(map[string]string{
		"conf.d/b.toml":            "[template]\nsrc = \"sub/b.template\"\ndest = \"/b\"\nuid = \"0\"\ngid = \"root\"\nmode = \"0644\"\nowner = \"x\"\ndeamon = \"bird\"\n",
		"conf.d/sub/a.toml":        "[template]\nsrc = \"a.template\"\ndest = \"/a\"\nprefix = \"own/\"\nkeys = [\"/x//NODENAME\", \"/x\", \"/y/\"]\nuid = 7\ncheck_cmd = \"check {{.src}}\"\nreload_cmd = \"r\"\ndaemon = \"bird6\"\nfamily = 6\n",
		"conf.d/..2026/a.toml":     "not read",
		"conf.d/readme.md":         "not read",
		"templates/a.template":     "a",
		"templates/sub/b.template": "b",
	}, Options{Prefix: "/calico", Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Resource{
		{File: "conf.d/sub/a.toml", Src: "a.template", Dest: "/a", Prefix: "/own", Keys: []string{"/own/x", "/own/y"}, Mode: 0o640,
			UID: 7, GID: -1, CheckCmd: "check {{.src}}", ReloadCmd: "r", Daemon: "bird6", Family: 6},
		{File: "conf.d/b.toml", Src: "sub/b.template", Dest: "/b", Prefix: "/calico", Mode: 0o644, UID: 0, GID: 0},
	}
	if diff := cmp.Diff(want, e.Resources()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"conf.d/b.toml:7: key template.owner means nothing here and is passed over",
		"conf.d/b.toml:8: key template.deamon means nothing here and is passed over; did you mean daemon?",
	}, e.Warnings()); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenFolders(t *testing.T) {
	const good = "[template]\nsrc = \"t\"\ndest = \"/t\"\n"
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"nothing", map[string]string{"conf.d/x.txt": ""}, []string{"no template resources"}},
		{"no folder", map[string]string{"x": ""}, []string{"conf.d"}},
		{"not TOML", map[string]string{"conf.d/x.toml": "[template]\nsrc = \n"}, []string{"conf.d/x.toml:2:"}},
		{"case twins", map[string]string{"conf.d/x.toml": good + "SRC = \"other\"\n"}, []string{"conf.d/x.toml:4: src is there twice: template.src and template.SRC"}},
		{"wrong type", map[string]string{"conf.d/x.toml": "[template]\nkeys = 5\n"}, []string{"conf.d/x.toml", "keys"}},
		{"no src", map[string]string{"conf.d/x.toml": "[template]\ndest = \"/x\""}, []string{"conf.d/x.toml: src: needed"}},
		{"src outside", map[string]string{"conf.d/x.toml": "[template]\ndest = \"/x\"\nsrc = \"../x\""}, []string{"conf.d/x.toml:3: src"}},
		{"no dest", map[string]string{"conf.d/x.toml": "[template]\nsrc = \"t\""}, []string{"dest: needed"}},
		{"several tables", map[string]string{"conf.d/x.toml": "[[template]]\nsrc = \"t\"\n"}, []string{"conf.d/x.toml:1: template: is of a wrong type; it must be a table"}},
		{"keys that are no list", map[string]string{"conf.d/x.toml": good + "keys = \"/\"\n"}, []string{"conf.d/x.toml:4: template.keys: is of a wrong type; it must be a list"}},
		{"a key that is no text", map[string]string{"conf.d/x.toml": good + "keys = [1]\n"}, []string{"conf.d/x.toml:4: template.keys: is of a wrong type; it must be a text"}},
		{"family that is no number", map[string]string{"conf.d/x.toml": good + "family = \"4\"\n"}, []string{"conf.d/x.toml:4: template.family: is of a wrong type; it must be a number"}},
		{"mode that is a number", map[string]string{"conf.d/x.toml": good + "mode = 644\n"}, []string{"conf.d/x.toml:4: mode: 644 is no file mode: put it in quotes"}},
		{"mode", map[string]string{"conf.d/x.toml": good + "mode = \"rw\"\n"}, []string{"conf.d/x.toml:4: mode: rw is no file mode"}},
		{"uid", map[string]string{"conf.d/x.toml": good + "uid = \"no such user\"\n"}, []string{"conf.d/x.toml:4: uid"}},
		{"daemon", map[string]string{"conf.d/x.toml": good + "daemon = \"frr\"\n"}, []string{"conf.d/x.toml:4: daemon"}},
		{"family", map[string]string{"conf.d/x.toml": good + "family = 5\n"}, []string{"conf.d/x.toml:4: family"}},
		{"no template", map[string]string{"conf.d/x.toml": good}, []string{"conf.d/x.toml:2: src", "templates/t"}},
		{"same dest", map[string]string{"conf.d/x.toml": good, "conf.d/y.toml": good, "templates/t": ""}, []string{"conf.d/y.toml: dest: /t is written by conf.d/x.toml already"}},
		{"all of them", map[string]string{"conf.d/x.toml": good, "conf.d/y.toml": "?", "templates/t": "{{"}, []string{"templates/t:1:", "conf.d/y.toml:1:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadFiles(tt.files, Options{})
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]string{}
	look := func(what string) {
		t.Helper()
		f, err := Fingerprint(dir)
		if err != nil {
			t.Fatal(err)
		}
		if before, known := seen[f]; known {
			t.Errorf("%s: the same as %s", what, before)
		}
		seen[f] = what
		if again, _ := Fingerprint(dir); again != f {
			t.Errorf("%s: changes by itself", what)
		}
	}
	look("empty")
	file := filepath.Join(dir, "conf.d", "x.toml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	look("new file")
	write("ab")
	look("longer")
	if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	look("older")
}

func TestParseVersion(t *testing.T) {
	tests := []struct {
		text string
		want Version
	}{
		{"1", Version{1, 6, 8}}, {"2", Version{2, 0, 12}}, {" 2.17.6\n", Version{2, 17, 6}}, {"2.13", Version{2, 13, 0}},
		{"v0.3.3+birdv1.6.8", Version{1, 6, 8}}, {"BIRD version 2.0.12", Version{2, 0, 12}}, {"BIRD 3.1.8 ready.", Version{3, 1, 8}},
		{"2.0.12-7+deb12u1", Version{2, 0, 12}},
	}
	for _, tt := range tests {
		if got, err := ParseVersion(tt.text); err != nil || got != tt.want {
			t.Errorf("%q: %v, %v, want %v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "0", "4", "4.1.0", "x", "2.x", "2.0.12.1", "-1", "99999999999"} {
		if v, err := ParseVersion(text); err == nil || !strings.Contains(err.Error(), "are supported") {
			t.Errorf("%q: %v, %v", text, v, err)
		}
	}
	v := Version{2, 14, 1}
	if !v.AtLeast(2, 14, 1) || !v.AtLeast(1, 99, 0) || v.AtLeast(2, 14, 2) || v.AtLeast(3, 0, 0) || !v.AtLeast(2, 13, 9) || v.String() != "2.14.1" {
		t.Error(v)
	}
}

func TestPrefixes(t *testing.T) {
	tests := []struct{ prefix, keys, wantPrefix, wantKey string }{
		{`prefix = "/calico"`, `["/bgp/v1/global"]`, "/calico", "/calico/bgp/v1/global"},
		{``, `["/bgp/v1/global"]`, "/calico", "/calico/bgp/v1/global"},
		{``, `["/calico/bgp/v1/global"]`, "", "/calico/bgp/v1/global"},
		{`prefix = "/calico/bgp/v1/host//NODENAME"`, `["/"]`, "/calico/bgp/v1/host/n1", "/calico/bgp/v1/host/n1"},
	}
	for _, tt := range tests {
		e, err := loadFiles(map[string]string{
			"conf.d/x.toml": "[template]\nsrc = \"t\"\ndest = \"/t\"\nmode = \"0o640\"\n" + tt.prefix + "\nkeys = " + tt.keys + "\n",
			"templates/t":   "",
		}, Options{Prefix: "/calico", Node: "n1"})
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		r := e.Resources()[0]
		if r.Prefix != tt.wantPrefix || len(r.Keys) != 1 || r.Keys[0] != tt.wantKey || r.Mode != 0o640 {
			t.Errorf("%+v: got prefix %q, keys %q, mode %o", tt, r.Prefix, r.Keys, r.Mode)
		}
	}
}

// TestPipe: a pipe among the resources would be read for ever.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "conf.d", "x.toml"), 0o644); err != nil {
		t.Skip(err)
	}
	if _, err := Load(os.DirFS(dir), Options{}); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("got error %v", err)
	}
}

package birdcheck

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"confd/templates"
)

// TestCheckCommands tells check commands with BIRD from others.
func TestCheckCommands(t *testing.T) {
	for cmd, want := range map[string]string{
		"bird -p -c {{.src}}":                     "bird",
		"bird6 -p -c {{ .src }}":                  "bird6",
		"/usr/sbin/bird -p -c '{{.src}}'":         "bird",
		"test -s {{.src}} && bird -pc {{.src}}":   "",
		"test -s {{.src}} && bird -p -c {{.src}}": "bird",
		"bird -p -c /etc/bird.conf":               "",
		"bluebird -p -c {{.src}}":                 "",
		"":                                        "",
	} {
		got := ""
		if m := checksWithBird.FindStringSubmatch(cmd); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", cmd, got, want)
		}
	}
}

// TestReadsTheSameOnce: what is the same is read once, whoever asks, and the answer
// is the same. Another program, or another text, is read anew.
func TestReadsTheSameOnce(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --version ] && echo 'BIRD version 2.0.12' && exit\necho read >>" + dir + "/log\ngrep -q bad \"$3\" && echo \"$3:1:1 syntax error\" && exit 1\nexit 0\n"
	program := filepath.Join(dir, "bird")
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := NewProgram(t.Context(), program)
	if err != nil {
		t.Fatal(err)
	}
	c := New([]Program{p}, time.Minute, true)
	check := func(text string) Verdict {
		t.Helper()
		files := []templates.File{{Dest: "/etc/bird/bird.conf", Data: []byte(text), Daemon: "bird"}}
		v, err := c.Check(t.Context(), files, templates.Version{Major: 2}, false)
		if err != nil || v.By != "BIRD 2.0.12" {
			t.Fatalf("%+v, %v", v, err)
		}
		return v
	}
	for range 3 {
		if v := check("good\n"); v.Refused != nil {
			t.Error(v.Refused)
		}
		if v := check("bad\n"); v.Refused == nil || v.Refused.Error() != "etc/bird/bird.conf:1:1 syntax error\n    bad\n" {
			t.Error(v.Refused)
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(log) != "read\nread\n" {
		t.Errorf("%q, %v", log, err)
	}
	check("good, and more\n")
	if log, _ := os.ReadFile(filepath.Join(dir, "log")); string(log) != "read\nread\nread\n" {
		t.Errorf("%q", log)
	}
}

package birdcheck

import "testing"

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

package supervise

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/settings"
	"confd/internal/testenv"
)

func TestEnvironment(t *testing.T) {
	given := []string{"PATH=/bin", "TZ=UTC", "LC_TIME=C", "TERM=", "ETCD_PASSWORD=hunter2", "PATHS=x", "BIRD_DIR=/b", "NODE=a", "MARK=$x"}
	for command, more := range map[string][]string{
		"bird -f":                                nil,
		"bird -f -c $BIRD_DIR/bird.conf":         {"BIRD_DIR=/b"},
		`sh -c 'echo "${NODE:-none}" && exec x'`: {"NODE=a"},
		"env NODE=b bird -f":                     nil, // env sets it
		"x $MARK $PATH $NOWHERE $1 $":            {"MARK=$x"},
	} {
		want := append([]string{"PATH=/bin", "TZ=UTC", "LC_TIME=C", "TERM="}, more...)
		if got := environment(command, given); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	if got := environment("bird", nil); got == nil {
		t.Error("nothing given: nil stands for this program's own environment")
	}
}

// No setting of the program reaches BIRD, be it a secret or where one lies.
func TestSettingsAreNotPassedOn(t *testing.T) {
	for _, setting := range settings.Table() {
		for _, variable := range setting.Envs() {
			if got := environment("bird -f", []string{variable + "=x"}); len(got) > 0 {
				t.Errorf("BIRD gets %q", got)
			}
		}
	}
}

// What the process has is what environment says, and what its command sets.
func TestProcessEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := newRun(t, "", "env OWN=$NODE /bin/sh -c 'env >"+dir+"/new && mv "+dir+"/new "+dir+"/env; exec sleep 1000'",
		Options{Environment: []string{"PATH=" + os.Getenv("PATH"), "HOME=/nowhere", "NODE=node-1", "K8S_TOKEN=hunter2", "ETCD_KEY_FILE=/k", "X="}})
	r.run()
	r.begin()
	r.next(Started)
	var text []byte
	testenv.Eventually(t, patience, "what it says of its environment", func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(dir, "env"))
		return err == nil
	})
	// PWD and the like are the shell's.
	has := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, want := range []string{"HOME=/nowhere", "NODE=node-1", "OWN=node-1"} {
		if !slices.Contains(has, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, line := range has {
		if name, _, _ := strings.Cut(line, "="); slices.Contains([]string{"K8S_TOKEN", "ETCD_KEY_FILE", "X", roleVariable}, name) {
			t.Errorf("it has %s", line)
		}
	}
}

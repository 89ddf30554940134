package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"confd/internal/report"
)

// formVersion is where a file of confd's says of which version it is.
var formVersion = regexp.MustCompile(`"(version|format)": ?\d+`)

// fromTheFuture makes a program's notes those of a program that is to come, of a form
// that nobody knows: what is in them says something else.
func (r *rig) fromTheFuture(pattern string) {
	r.t.Helper()
	paths, err := filepath.Glob(r.file(pattern))
	if err != nil || len(paths) != 1 {
		r.t.Fatal(pattern, paths, err)
	}
	text := readFile(r.t, paths[0])
	where := formVersion.FindStringSubmatchIndex(text)
	if where == nil {
		r.t.Fatalf("%s does not say of which version it is:\n%s", paths[0], text)
	}
	key := text[where[2]:where[3]]
	future := `{"` + key + `": 99, "set": {"is": ["of", "another"]}, "sessions": "form", "generations": 7, "objects": 1}`
	if err := os.WriteFile(paths[0], []byte(future), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// testDowngrade starts confd on the notes of a newer one: it says so of each, BIRD
// runs on with its sessions, and they are guarded as ever.
func testDowngrade(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(4)...)
	sessions := mesh4Sessions(2, 3, 4)
	c := r.startEstablished(sessions)
	r.awaitMemory("the sessions", func(m memory) bool { return len(m.Seen) == 3 })
	for _, change := range []bool{false, true} {
		r.stays("an older program", func() {
			c.stop()
			r.fromTheFuture(".confd-record-*.json")
			r.fromTheFuture(".confd-memory.json")
			r.fromTheFuture(report.File)
			if got := r.once("status"); got.code != 1 || len(linesWith(got.stdout, "a report of format 99", "use that version here, too")) == 0 {
				t.Errorf("status: %+v", got)
			}
			if change {
				r.put(meshIs(false))
			}
			c = r.start()
			c.awaitOutput("what a program left that ran here before is not known", "is of version 99", "newer version of the program", "a report of format 99")
			if change {
				r.isHeld(c, 1, threeOfThree, isOff)
				return
			}
			r.awaitReady()
		})
	}
	r.awaitEstablished(sessions...)
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back")
	r.approve(c, threeOfThree, isOff)
}

package birdcheck

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"confd/templates"
)

// mainFile is a file that a BIRD is started with.
type mainFile struct {
	dest  string
	bird6 bool
}

// checksWithBird is a check_cmd that has BIRD read the staged file.
var checksWithBird = regexp.MustCompile(`(?:^|[\s/;&|])(bird6?)\s(?:[^;&|]*\s)?-c\s*["']?\{\{\s*\.src\s*\}\}`)

// mainFiles are the files that BIRD is started with: those whose resource names
// a daemon, or has BIRD check them, and that no other file includes. Other
// commands of a resource are not run.
func mainFiles(files []templates.File) []mainFile {
	included := map[string]bool{}
	for _, f := range files {
		for _, name := range includes(f) {
			included[name] = true
		}
	}
	var mains []mainFile
	for _, f := range files {
		daemon := f.Daemon
		if m := checksWithBird.FindStringSubmatch(f.CheckCmd); daemon == "" && m != nil {
			daemon = m[1]
			if strings.HasPrefix(filepath.Base(f.Dest), "bird6") { // Calico checks it with bird
				daemon = "bird6"
			}
		}
		if daemon != "" && !included[rooted(f.Dest)] {
			mains = append(mains, mainFile{dest: f.Dest, bird6: daemon == "bird6"})
		}
	}
	return mains
}

// rooted is where a file lies below the folder that BIRD reads it in.
func rooted(dest string) string { return filepath.Join("/", dest) }

// includeLine is how a file of BIRD's includes another one.
var includeLine = regexp.MustCompile(`(?m)^\s*include\s+"([^"\n]+)"\s*;`)

// includes are the files that f includes, as rooted paths; patterns are not
// among them, which may well match nothing.
func includes(f templates.File) []string {
	var names []string
	for _, m := range includeLine.FindAllStringSubmatch(string(f.Data), -1) {
		name := m[1]
		if strings.ContainsAny(name, "*?[") {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(rooted(f.Dest)), name)
		}
		names = append(names, filepath.Clean(name))
	}
	return names
}

// notRendered names a file that others include, and that is not among them.
func notRendered(files []templates.File) (string, bool) {
	for _, f := range files {
		for _, name := range includes(f) {
			if !slices.ContainsFunc(files, func(o templates.File) bool { return rooted(o.Dest) == name }) {
				return fmt.Sprintf("%s includes %s, which is not rendered", f.Dest, name), true
			}
		}
	}
	return "", false
}

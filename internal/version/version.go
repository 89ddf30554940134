// Package version says which program this is: its version, what it was built from,
// and the BIRDs that it was tested with.
package version

import (
	_ "embed"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// What a build can set, with -ldflags "-X confd/internal/version.Version=v1.2.3".
// Where it does not, Go's own notes in the program count: a plain "go build" in a
// clone of the repository leaves commit and date there.
var (
	Version string //nolint:gochecknoglobals // the linker sets it
	Commit  string //nolint:gochecknoglobals // the linker sets it
	Date    string //nolint:gochecknoglobals // the linker sets it: RFC 3339
)

//go:embed birds.txt
var birds string

// Unknown is the version of a program that was built from no one knows what.
const Unknown = "unknown"

// Info is what there is to know of a program.
type Info struct {
	Version      string   `json:"version"`
	Commit       string   `json:"commit,omitempty"`
	Date         string   `json:"date,omitempty"` // of the commit, RFC 3339
	Modified     bool     `json:"modified"`       // it was built from files that are not in the commit
	Go           string   `json:"go"`
	Platform     string   `json:"platform"`
	Birds        []string `json:"birds"` // that it was tested with
	Dependencies []Module `json:"dependencies"`
}

// Module is a Go module that is part of the program.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"` // as in go.sum
}

// Read is what this program says of itself.
func Read() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return of(build, Version, Commit, Date)
}

// of is what is known from Go's notes and from what the linker was told, which wins.
func of(build *debug.BuildInfo, version, commit, date string) Info {
	i := Info{
		Version: version, Commit: commit, Date: date, Go: build.GoVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Birds: Birds(), Dependencies: []Module{}, Modified: strings.HasSuffix(version, "-dirty"), // git describe has it so
	}
	for _, s := range build.Settings {
		switch {
		case commit != "": // Go's notes may be of another repository around the source
		case s.Key == "vcs.revision":
			i.Commit = s.Value
		case s.Key == "vcs.time" && date == "":
			i.Date = s.Value
		case s.Key == "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	if i.Version == "" {
		i.Version = fallback(build.Main.Version, i.Commit)
	}
	for _, m := range build.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		i.Dependencies = append(i.Dependencies, Module{m.Path, m.Version, m.Sum})
	}
	return i
}

// fallback is the version of a program whose build said none.
func fallback(module, commit string) string {
	switch {
	case module != "" && module != "(devel)":
		return module
	case commit != "":
		return commit[:min(12, len(commit))]
	}
	return Unknown
}

// Time is the date as a time; zero: there is none.
func (i Info) Time() time.Time {
	t, err := time.Parse(time.RFC3339, i.Date)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Birds are the versions of BIRD that all tests run against, oldest first.
func Birds() []string {
	var versions []string
	for line := range strings.Lines(birds) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, "#") {
			versions = append(versions, fields[0])
		}
	}
	return versions
}

// Package version knows which version this program is.
package version

import "runtime/debug"

// What a release sets when it is linked (-ldflags '-X confd/internal/version.Version=v1.2.3');
// empty in any other build.
var (
	Version string //nolint:gochecknoglobals // the linker can set nothing else
	Commit  string //nolint:gochecknoglobals // as above: the whole hash
	Date    string //nolint:gochecknoglobals // as above: of the commit, as in RFC 3339
)

// String is the version of a release, else that of the module, else the commit
// that the program was built from.
func String() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}

package packages

import "strings"

// Version is a version as the package managers sort them: what comes before a
// release (v1.2.0-rc.1) sorts below it, and commits after it (v1.2.0-3-g0123abc,
// as git describe has them) above.
func Version(version string) string {
	version, dirty := strings.CutSuffix(strings.TrimPrefix(version, "v"), "-dirty")
	var after string
	if fields := strings.Split(version, "-"); len(fields) > 2 && strings.HasPrefix(fields[len(fields)-1], "g") {
		after = "+" + strings.Join(fields[len(fields)-2:], ".")
		version = strings.Join(fields[:len(fields)-2], "-")
	}
	base, before, early := strings.Cut(version, "-")
	if early {
		base += "~" + strings.ReplaceAll(before, "-", ".")
	}
	if dirty {
		after += "+dirty"
	}
	return base + after
}

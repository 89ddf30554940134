package templates

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is a BIRD version. It decides the syntax of what is written.
type Version struct {
	// Major, Minor and Patch are the parts of the number: 2, 17 and 6.
	Major, Minor, Patch int
}

// supportedVersions is what error messages say about versions.
const supportedVersions = "BIRD 1.6, 2.x and 3.x are supported: give 1, 2, 3, or a full version such as 2.17.6"

// number finds a dotted version number that ends, or goes on with something
// that is no part of it.
var number = regexp.MustCompile(`^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?(?:[-+~ ].*)?$`)

// oldest are the versions that a plain major number stands for: what is oldest
// of those in use, so that what is written for it is read by all.
func oldest(major int) (Version, bool) {
	switch major {
	case 1:
		return Version{1, 6, 8}, true
	case 2:
		return Version{2, 0, 12}, true
	case 3:
		return Version{3, 1, 0}, true
	}
	return Version{}, false
}

// ParseVersion reads a version as people write it ("2", "2.17.6"), as
// bird --version prints it ("BIRD version 2.0.12"), as BIRD greets on its
// control socket ("BIRD 2.0.12 ready.") and as Calico's fork names itself
// ("v0.3.3+birdv1.6.8").
func ParseVersion(s string) (Version, error) {
	m := number.FindStringSubmatch(bareVersion(s))
	if m == nil {
		return Version{}, fmt.Errorf("%q is no BIRD version: %s", s, supportedVersions)
	}
	major, _ := strconv.Atoi(m[1])
	v, ok := oldest(major)
	if !ok {
		return Version{}, fmt.Errorf("BIRD version %q is not supported: %s", s, supportedVersions)
	}
	if m[2] == "" {
		return v, nil
	}
	v.Minor, _ = strconv.Atoi(m[2])
	v.Patch, _ = strconv.Atoi(m[3]) // 0 where there is none
	return v, nil
}

// bareVersion takes away what may stand in front of the number.
func bareVersion(s string) string {
	s = strings.TrimSpace(s)
	if _, after, found := strings.Cut(s, "+birdv"); found {
		return after
	}
	for _, lead := range []string{"BIRD ", "version ", "v"} {
		s = strings.TrimPrefix(s, lead)
	}
	return s
}

// AtLeast says whether v is the given version or a later one.
func (v Version) AtLeast(major, minor, patch int) bool {
	if v.Major != major {
		return v.Major > major
	}
	if v.Minor != minor {
		return v.Minor > minor
	}
	return v.Patch >= patch
}

// HasTunnels says whether there is a BIRD of that version with krt_tunnel: Calico's own,
// which is a 1.6.
func (v Version) HasTunnels() bool { return v.Major < 2 }

// NamesAuthentication says whether BIRD wants "authentication md5" beside a
// password: it warns without since 2.17 and 3.1, and did not know it before.
func (v Version) NamesAuthentication() bool {
	return v.AtLeast(2, 17, 0) && (v.Major == 2 || v.AtLeast(3, 1, 0))
}

// String is MAJOR.MINOR.PATCH.
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

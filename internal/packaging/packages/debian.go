package packages

import (
	"fmt"
	"time"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/source"
)

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: confd

Files: *
Copyright: %d the authors of confd
License: Apache-2.0
Comment:
 The program has parts by others. What each of them is, and its licence,
 is in /usr/share/doc/confd/notices.gz.

License: Apache-2.0
 On Debian systems the whole text is in
 /usr/share/common-licenses/Apache-2.0.
`

// overrides say why what lintian finds is so on purpose.
const overrides = `# Go's own linker makes no other kind of program that runs without a C library,
# and this one is to run in an empty root, too.
confd: statically-linked-binary [usr/sbin/confd]
# It comes from the project itself, and was never uploaded to Debian.
confd: initial-upload-closes-no-bugs
`

func debianFiles(tree source.Tree, _ contents.Papers) []contents.File {
	return []contents.File{
		{Name: docs + "copyright", Data: fmt.Appendf(nil, copyright, tree.Time.Year()), Mode: 0o644},
		{Name: "/usr/share/lintian/overrides/confd", Data: []byte(overrides), Mode: 0o644},
	}
}

// debianTexts are the packages' own changelog, with the one entry of this version.
func debianTexts(tree source.Tree) map[string][]byte {
	text := fmt.Sprintf("confd (%s-1) unstable; urgency=medium\n\n  * Version %s: see /usr/share/doc/confd/changelog.gz.\n\n -- %s  %s\n",
		Version(tree.Version), tree.Version, maintainer, tree.Time.Format(time.RFC1123Z))
	return map[string][]byte{docs + "changelog.Debian": []byte(text)}
}

// rpmFiles are the licence, which Debian has elsewhere.
func rpmFiles(_ source.Tree, papers contents.Papers) []contents.File {
	return []contents.File{{Name: docs + "LICENSE", Data: papers.Licence, Mode: 0o644}}
}

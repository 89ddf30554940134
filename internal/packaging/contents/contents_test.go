package contents_test

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/source"
)

// link is a link to another file, in Markdown.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinksOfDocumentation: links between the installed pages lead somewhere. The
// licence and the changes are installed as each kind of package wants them, and
// findings are of the repository alone.
func TestLinksOfDocumentation(t *testing.T) {
	files, err := contents.Documentation(source.Tree{Dir: "../../.."}, "doc")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{"doc/LICENSE": true, "doc/CHANGELOG.md": true}
	for _, f := range files {
		for name := f.Name; name != "."; name = path.Dir(name) {
			there[name] = true
		}
	}
	count := 0
	for _, f := range files {
		if path.Ext(f.Name) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(f.Data), -1) {
			to := path.Join(path.Dir(f.Name), m[1])
			count++
			if !there[to] && !strings.HasPrefix(to, "doc/findings") {
				t.Errorf("%s points to %s, which is not installed", f.Name, to)
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d links", count)
	}
}

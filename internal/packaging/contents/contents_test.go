package contents_test

import (
	"path"
	"regexp"
	"testing"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/source"
)

// link is a link to another file, in Markdown.
var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinksOfDocumentation: links in the installed pages lead to what is installed.
func TestLinksOfDocumentation(t *testing.T) {
	t.Run("alone", func(t *testing.T) { linksOf(t) })
	t.Run("with the licence and the changes", func(t *testing.T) { linksOf(t, "LICENSE", "CHANGELOG.md") })
}

func linksOf(t *testing.T, beside ...string) {
	files, err := contents.Documentation(source.Tree{Dir: "../../.."}, "doc", beside...)
	if err != nil {
		t.Fatal(err)
	}
	there, found := map[string]bool{}, map[string]bool{}
	for _, name := range beside {
		there["doc/"+name] = true
	}
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
			found[to] = true
			if !there[to] {
				t.Errorf("%s points to %s, which is not installed", f.Name, to)
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d links", count)
	}
	for _, name := range beside {
		if !found["doc/"+name] {
			t.Errorf("nothing points to %s, which is there", name)
		}
	}
}

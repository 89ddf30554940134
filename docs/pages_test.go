package docs_test

import (
	"encoding/xml"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

const top = ".."

// page is a page of Markdown: where its links lead, and what can be linked in it.
type page struct {
	links   []string
	entries []string // the links in the first cells of tables' rows
	anchors []string
}

// inHTML are the links and images of HTML within Markdown.
var inHTML = regexp.MustCompile(`(?:href|src|srcset)="([^" ]+)`)

func readPage(t *testing.T, path string) page {
	t.Helper()
	source := []byte(read(t, path))
	var p page
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.addAnchor(plain(n, source))
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
			cell, _ := n.Parent().(*extast.TableCell)
			if cell != nil && cell.PreviousSibling() == nil {
				p.entries = append(p.entries, string(n.Destination))
			}
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.HTMLBlock:
			p.addHTML(n.Lines(), source)
		case *ast.RawHTML:
			p.addHTML(n.Segments, source)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *page) addHTML(lines *text.Segments, source []byte) {
	for _, m := range inHTML.FindAllSubmatch(lines.Value(source), -1) {
		p.links = append(p.links, string(m[1]))
	}
}

// addAnchor adds the anchor that GitHub and GitLab make for a heading; the second
// one of the same words ends with -1.
func (p *page) addAnchor(heading string) {
	anchor := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	name := anchor
	for i := 1; slices.Contains(p.anchors, name); i++ {
		name = anchor + "-" + strconv.Itoa(i)
	}
	p.anchors = append(p.anchors, name)
}

// plain is the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if s, ok := c.(*ast.Text); ok {
			b.Write(s.Value(source))
		} else {
			b.WriteString(plain(c, source))
		}
	}
	return b.String()
}

// markdown are the paths of all pages, but those of tests and of hidden folders.
func markdown(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		if d.IsDir() && (name == "testdata" || name == "bin" || name == "dist" || path != top && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".md") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestLinks: every relative link leads to a file or folder that is there, and where
// it has an anchor, to a heading.
func TestLinks(t *testing.T) {
	pages := map[string]page{}
	for _, path := range markdown(t) {
		pages[path] = readPage(t, path)
	}
	count := 0
	for path, p := range pages {
		for _, link := range p.links {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if u.IsAbs() {
				continue
			}
			count++
			to := path
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(path), u.Path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s leads nowhere", path, link)
			} else if u.Fragment != "" && !slices.Contains(pages[to].anchors, u.Fragment) {
				t.Errorf("%s: %s: that page has no such heading", path, link)
			}
		}
	}
	if count < 200 {
		t.Errorf("%d links were looked at: where are the others?", count)
	}
}

// TestIndex: README.md of this folder lists every page once.
func TestIndex(t *testing.T) {
	entries := map[string]int{}
	for _, e := range readPage(t, "README.md").entries {
		entries[e]++
	}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if p != "README.md" && entries[p] != 1 {
			t.Errorf("README.md lists %s %d times", p, entries[p])
		}
	}
}

var (
	target   = regexp.MustCompile("(?:`|^|&& )make ([a-z][a-z0-9-]*)")
	program  = regexp.MustCompile(`^(?:\$ )?(?:[A-Z0-9_]+=\S+ )*(?:\S*/)?confd (.*)`)
	flagName = regexp.MustCompile(`(?:^| )--([a-z0-9-]+)`)
)

// TestCommandsExist: what pages say to make is a target of the Makefile, and flags
// of commands of the program are in the reference.
func TestCommandsExist(t *testing.T) {
	makefile, reference := read(t, top+"/Makefile"), read(t, "reference.md")
	targets, flags := 0, 0
	for _, path := range markdown(t) {
		for line := range strings.Lines(read(t, path)) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " # ")
			for _, m := range target.FindAllStringSubmatch(line, -1) {
				targets++
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s: there is no make %s", path, m[1])
				}
			}
			command := program.FindStringSubmatch(line)
			if command == nil || path == "reference.md" {
				continue
			}
			for _, m := range flagName.FindAllStringSubmatch(command[1], -1) {
				flags++
				if !strings.Contains(reference, "`--"+m[1]+"`") {
					t.Errorf("%s: confd has no --%s", path, m[1])
				}
			}
		}
	}
	if targets < 20 || flags < 60 {
		t.Errorf("%d targets and %d flags were looked at: where are the others?", targets, flags)
	}
}

// TestPictures: every picture is XML, and has words for those who do not see it.
func TestPictures(t *testing.T) {
	pictures, err := filepath.Glob("*.svg")
	if err != nil || len(pictures) < 3 {
		t.Fatalf("%d pictures (%v)", len(pictures), err)
	}
	for _, path := range pictures {
		var svg struct {
			Role  string `xml:"role,attr"`
			Title string `xml:"title"`
		}
		if err := xml.Unmarshal([]byte(read(t, path)), &svg); err != nil || svg.Role != "img" || svg.Title == "" {
			t.Errorf("%s: role %q, title %q (%v)", path, svg.Role, svg.Title, err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An excerpt says in a comment which file it is of.
var excerpt = regexp.MustCompile("(?s)<!-- excerpt of (\\S+) -->\n```[a-z]*\n(.*?)```\n")

// TestExcerpts: excerpts are in the files that they are of, as they stand.
func TestExcerpts(t *testing.T) {
	count := 0
	for _, path := range markdown(t) {
		for _, m := range excerpt.FindAllStringSubmatch(read(t, path), -1) {
			count++
			if !strings.Contains(read(t, filepath.Join(top, m[1])), m[2]) {
				t.Errorf("%s: %s does not have\n%s", path, m[1], m[2])
			}
		}
	}
	if count == 0 {
		t.Error("there are none")
	}
}

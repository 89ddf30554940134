package agent

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// machineFolders are the folders of the machines, in the order in which a change comes to
// them.
var machineFolders = []string{
	"internal/inbox", "internal/schedule", "internal/edition", "internal/rollout", "internal/hold", "internal/runs",
	"internal/known", "internal/outcome", "internal/routes", "internal/agent", "reload",
}

// TestDocsStates checks the page with the tables of the machines, which is made from
// their comments (-update writes it).
func TestDocsStates(t *testing.T) {
	const page = "../../docs/states.md"
	var b strings.Builder
	b.WriteString(`# The machines behind it, state by state

<!-- Made from the code: go test ./internal/agent -run DocsStates -update. Change the comments there, not this page. -->

What the program does with a change is decided by small machines, each of which has states with names and one function for each transition. These are their tables:
the state that a machine is in, what happens, the state after it, and what else that means. [safety.md](safety.md) tells the same as a story.
`)
	for _, folder := range machineFolders {
		for _, m := range tablesOf(t, folder) {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", m.title, m.about, m.table)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(page)
	if err != nil || string(is) != b.String() {
		t.Errorf("%s is not what the code says (-update writes it): %v", page, err)
	}
}

// machine is one table with what it is about.
type machine struct{ title, about, table string }

func tablesOf(t *testing.T, folder string) []machine {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all []machine
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		titles := map[*ast.CommentGroup]string{f.Doc: folder}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Doc != nil {
				titles[g.Doc] = folder + ": " + g.Specs[0].(*ast.TypeSpec).Name.Name
			}
		}
		for _, c := range f.Comments {
			title := titles[c]
			if title == "" {
				title = folder + ": " + strings.TrimSuffix(filepath.Base(path), ".go")
			}
			if m, ok := tableIn(c, title); ok {
				all = append(all, m)
			}
		}
	}
	return all
}

// tableIn finds the table in a comment: lines with a tab, of which the first begins
// with the word state, stage or health.
func tableIn(doc *ast.CommentGroup, title string) (machine, bool) {
	m := machine{title: title}
	var about, table []string
	for _, line := range strings.Split(doc.Text(), "\n") {
		switch cell, isTable := strings.CutPrefix(line, "\t"); {
		case isTable:
			table = append(table, cell)
		case len(table) == 0:
			about = append(about, line)
		}
	}
	if len(table) == 0 {
		return m, false
	}
	first, _, _ := strings.Cut(table[0], " ")
	m.table = strings.Join(table, "\n")
	m.about, _, _ = strings.Cut(strings.TrimSpace(strings.Join(about, "\n")), "\n\n")
	return m, first == "state" || first == "stage" || first == "health" || first == "in"
}

// Package statetable has tests drive the machines of this program through the tables
// of states that stand in their comments, row by row: so table and code say the same.
package statetable

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Row is one row of a table, by the columns of its head: state (or health, stage, ...),
// event, next.
type Row struct{ State, Event, Next string }

// Machine is how a machine M is driven.
type Machine[M any] struct {
	// File has the table, in the comment of the type Type; where that is empty in the
	// comment of the package.
	File, Type string
	// States make a machine in each of its states.
	States map[string]func() M
	// State is the name of the state that a machine is in.
	State func(M) string
	// Events are what can happen, by the words of the table.
	Events map[string]func(M)
	// Next says what words of the table that are no states stand for, by the state
	// before. "the same" is known.
	Next map[string]func(before string) string
}

// Test drives the machine through each row: "any" is every state, and events that are
// parted by commas are one after the other in machines of their own. It fails where the
// code comes to another state, where a state or an event of the table is not known
// here, and where one that is known here is not in the table.
func (m Machine[M]) Test(t *testing.T) {
	t.Helper()
	rows := Rows(t, m.File, m.Type)
	happened, been := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		for _, event := range strings.Split(r.Event, ", ") {
			do := m.Events[event]
			if do == nil {
				t.Errorf("%s: %s: nobody knows how to have %q happen", m.File, r.State, event)
				continue
			}
			happened[event] = true
			for _, state := range m.states(r.State) {
				been[state] = true
				m.step(t, r, state, event, do)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Events)) {
		if !happened[name] {
			t.Errorf("%s: the table does not have the event %q", m.File, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.States)) {
		if !been[name] {
			t.Errorf("%s: the table does not have the state %q", m.File, name)
		}
	}
}

// states are those that a cell means: any, or those that it names.
func (m Machine[M]) states(cell string) []string {
	if cell == "any" {
		return slices.Sorted(maps.Keys(m.States))
	}
	return []string{cell}
}

func (m Machine[M]) step(t *testing.T, r Row, state, event string, do func(M)) {
	t.Helper()
	make := m.States[state]
	if make == nil {
		t.Errorf("%s: nobody knows how to come to %q", m.File, state)
		return
	}
	machine := make()
	if is := m.State(machine); is != state {
		t.Fatalf("%s: it is %q, and should be %q to begin with", m.File, is, state)
	}
	do(machine)
	want := r.Next
	if want == "the same" {
		want = state
	} else if next := m.Next[want]; next != nil {
		want = next(state)
	}
	if is := m.State(machine); is != want {
		t.Errorf("%s: after %q in %q it is %q, and the table says %q", m.File, event, state, is, want)
	}
}

// Rows are the rows of the table in the comment of a type of a file; of the package
// where that is empty.
func Rows(t *testing.T, file, typ string) []Row {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(commentOf(f, typ))
	if len(rows) == 0 {
		t.Fatalf("%s: there is no table in the comment of %q", file, typ)
	}
	return rows
}

func commentOf(f *ast.File, typ string) string {
	if typ == "" {
		return f.Doc.Text()
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == typ {
			return g.Doc.Text()
		}
	}
	return ""
}

// rowsOf finds the table in a comment: lines that begin with a tab, of which the first
// is the head.
func rowsOf(comment string) []Row {
	var columns []int
	var rows []Row
	for line := range strings.Lines(comment) {
		text, isTable := strings.CutPrefix(strings.TrimRight(line, "\n"), "\t")
		switch {
		case !isTable:
		case columns == nil:
			columns = columnsOf(text)
		default:
			rows = append(rows, Row{cell(text, columns, 0), cell(text, columns, 1), cell(text, columns, 2)})
		}
	}
	return rows
}

// columnsOf is where each word of a head begins: the first three are those of columns,
// and the fourth ends them.
func columnsOf(head string) []int {
	var columns []int
	for i := range head {
		if head[i] != ' ' && (i == 0 || head[i-1] == ' ') {
			columns = append(columns, i)
		}
	}
	return columns
}

func cell(text string, columns []int, i int) string {
	if i >= len(columns) || columns[i] >= len(text) {
		return ""
	}
	end := len(text)
	if i+1 < len(columns) {
		end = min(end, columns[i+1])
	}
	return strings.TrimSpace(text[columns[i]:end])
}

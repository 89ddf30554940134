package reload

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tableOf are the rows of the table in a file's comment, of which the cells stand
// two spaces apart: the first row are the headings.
func tableOf(t *testing.T, file, heading string) [][]string {
	t.Helper()
	var rows [][]string
	for line := range strings.Lines(read(t, file)) {
		line, ok := strings.CutPrefix(line, "//\t")
		if !ok || rows == nil && !strings.HasPrefix(line, heading) {
			if rows != nil {
				break
			}
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.TrimSpace(line), "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				row = append(row, cell)
			}
		}
		rows = append(rows, row)
	}
	if len(rows) < 3 {
		t.Fatalf("%s has no table", file)
	}
	return rows
}

// wantInDocs fails unless docs/safety.md shows the table.
func wantInDocs(t *testing.T, rows [][]string) {
	t.Helper()
	docs := read(t, filepath.Join("..", "docs", "safety.md"))
	for _, row := range rows {
		if line := "| " + strings.Join(row, " | ") + " |\n"; !strings.Contains(docs, line) {
			t.Errorf("docs/safety.md has no line %s", line)
		}
	}
}

// The table at the top of known.go is what the code does, and nothing else happens.
func TestKnownTable(t *testing.T) {
	before := known{phase: confirmed, generation: Generation{Hash: "before"}}
	events := map[string]func(k *known){
		"found":    func(k *known) { k.found(Generation{}) },
		"swapped":  func(k *known) { k.swapped(Generation{}, &backup{}) },
		"agreed":   func(k *known) { k.agreed("2.0.12", &observation{}) },
		"waits":    (*known).waits,
		"tried":    func(k *known) { k.tried("2.0.12", nil, &trial{}) },
		"undone":   (*known).undone,
		"restored": (*known).restored,
		"ran":      (*known).ran,
		"passed":   (*known).passed,
		"ended":    (*known).ended,
	}
	want := map[string]map[phase]string{}
	rows := tableOf(t, "known.go", "in ")
	for _, row := range rows[1:] {
		want[row[1]] = map[phase]string{}
		for p := absent; p <= unsure; p++ {
			if strings.Contains(" "+row[0]+" ", " "+p.String()+" ") {
				want[row[1]][p] = row[2]
			}
		}
	}
	if len(want) != len(events) {
		t.Errorf("the table has %d events, want %d", len(want), len(events))
	}
	for name, event := range events {
		for p := absent; p <= unsure; p++ {
			k := known{phase: p, trial: &trial{}, back: &backup{before: before}}
			got := after(&k, event)
			if got == "confirmed" && k.generation.Hash == "before" {
				got = "as before"
			}
			if next := want[name][p]; got != next {
				t.Errorf("%s in %v leads to %q, the table says %q", name, p, got, next)
			}
			if got != "" && p == onTrial && k.trial != nil {
				t.Errorf("%s leaves a trial behind", name)
			}
			if k.phase == confirmed && k.back != nil && got != "" {
				t.Errorf("%s leaves a way back", name)
			}
		}
	}
	wantInDocs(t, rows)
}

// after is the phase that an event leads to; empty where it is refused.
func after(k *known, event func(*known)) (next string) {
	defer func() {
		if recover() != nil {
			next = ""
		}
	}()
	event(k)
	return k.phase.String()
}

// There is one way back, to what BIRD agreed to, whatever comes after.
func TestWayBack(t *testing.T) {
	var k known
	k.found(Generation{Hash: "a"})
	k.agreed("2.0.12", nil)
	first := &backup{}
	k.swapped(Generation{Hash: "b"}, first)
	k.swapped(Generation{Hash: "c"}, &backup{})
	if k.back != first || first.direct || first.before.generation.Hash != "a" {
		t.Errorf("%+v", k.back)
	}
	k.restored()
	if k.generation.Hash != "a" || k.phase != unsure || k.back != nil {
		t.Errorf("%+v", k)
	}
}

// No phase, outcome or state is without a name.
func TestNames(t *testing.T) {
	var names []string
	for p := absent; p <= unsure; p++ {
		names = append(names, p.String())
	}
	for o := goesOn; o <= lapsed; o++ {
		names = append(names, o.String())
	}
	for s := Unchanged; s <= OnTrial; s++ {
		names = append(names, s.String())
	}
	if slices.Contains(names, "") {
		t.Error(names)
	}
}

package main

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocsHavePlacesForAllTables(t *testing.T) {
	readme, scale := page(t, "../../README.md"), page(t, "../../docs/scale.md")
	for name := range (summary{}).tables() {
		for _, line := range pair(places(name)) {
			if strings.Count(scale, line) != 1 {
				t.Errorf("docs/scale.md does not have once: %s", line)
			}
		}
	}
	begin, end := places("calico")
	_, rest, _ := strings.Cut(readme, begin)
	inReadme, _, found := strings.Cut(rest, end)
	_, rest, _ = strings.Cut(scale, begin)
	inScale, _, _ := strings.Cut(rest, end)
	if !found || inReadme != inScale {
		t.Errorf("README.md has other figures than docs/scale.md:\n%s\n%s", inReadme, inScale)
	}
}

func TestTablesAreWrittenInTheirPlaces(t *testing.T) {
	begin, end := places("typha")
	page := "# Page\n\n" + begin + "| old |\n" + end + "\nrest\n"
	got := inPlaces(page, map[string]string{"typha": "| new |\n", "calico": "| not here |\n"})
	if want := "# Page\n\n" + begin + "\n| new |\n\n" + end + "\nrest\n"; got != want {
		t.Errorf("%s", got)
	}
}

func TestTablesOfWhatWasMeasured(t *testing.T) {
	one := func(ours, theirs float64) [2][]sample { return [2][]sample{{{ours, 0.5}}, {{theirs, 0.5}}} }
	s := summary{o: options{runs: 1, against: "older"}, load: "0.10", parts: map[string][]work{
		etcdPart:       {{"a label of another node", "ms", one(0.2, 36)}, {nodeChange, "ms", one(44, 169)}},
		kubernetesPart: {{memoryWork, "MB", one(90, 120)}},
		typhaPart:      {{startWork, "ms", one(110, 100)}},
		calicoPart:     {{meshOf5000, "ms", one(121, 0)}, {reflectorsOf5000, "MB", one(60, 0)}},
	}}
	tables := s.tables()
	_, changes, _ := strings.Cut(tables["changes"], "\n\n")
	for _, c := range []struct{ got, want string }{
		{changes, `| from | work | this version | older build | ratio |
| --- | --- | --- | --- | --- |
| etcd | a label of another node | < 0.7 ms | 36 ± 0.5 ms | < 1/51 |
| etcd | a node more | 44 ± 0.5 ms | 169 ± 0.5 ms | 1/3.8 |
| Kubernetes | memory at rest (resident) | 90 ± 0.5 MB | 120 ± 0.5 MB | 1/1.3 |
`},
		{tables["typha"], `| work | Typha | etcd | ratio |
| --- | --- | --- | --- |
| start to the first configuration | 110 ± 0.5 ms | 100 ± 0.5 ms | 1.10 |
`},
		{tables["calico"], `| work | Calico's confd | this one |
| --- | --- | --- |
| configuration, once: full mesh of 5,000 nodes | 55 s | 0.12 s |
| a node more in a full mesh of 5,000, on each other node | 156 s | 0.04 s |
| memory, 5,000 nodes with 100 route reflectors | 12 GB | 60 MB |
`},
	} {
		if c.got != c.want {
			t.Errorf("got\n%swant\n%s", c.got, c.want)
		}
	}
}

func pair(a, b string) []string { return []string{a, b} }

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

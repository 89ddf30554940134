package monitoring_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"
)

// rules is a file of Prometheus rules, as far as we use them.
type rules struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readRules(t *testing.T) rules {
	t.Helper()
	data, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	if err := yaml.UnmarshalStrict(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// runbook is where a runbook_url leads; what stands before is the reader's own.
var runbook = regexp.MustCompile(`^https://example\.com/confd/(docs/[a-z-]+\.md)#([a-z]+)$`)

// checkRunbook has an alert's runbook_url lead to a section that bears its name.
func (r rule) checkRunbook(t *testing.T) {
	t.Helper()
	m := runbook.FindStringSubmatch(r.Annotations["runbook_url"])
	if m == nil {
		t.Fatalf("runbook_url: %q", r.Annotations["runbook_url"])
	}
	page, err := os.ReadFile("../../" + m[1])
	if err != nil {
		t.Fatal(err)
	}
	// The anchor of a heading of one word is that word in lower case.
	if m[2] != strings.ToLower(r.Alert) || !strings.Contains(string(page), "\n## "+r.Alert+"\n\n") {
		t.Errorf("%s: %s has no section ## %s", r.Annotations["runbook_url"], m[1], r.Alert)
	}
}

// TestSectionsHaveAlerts finds sections of alerts that are no more.
func TestSectionsHaveAlerts(t *testing.T) {
	page, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			names = append(names, r.Alert)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(names, m[1]) {
			t.Errorf("docs/alerts.md has a section %q, and there is no such alert", m[1])
		}
	}
}

func TestAlerts(t *testing.T) {
	page, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			t.Run(r.Alert, func(t *testing.T) {
				if seen[r.Alert] || r.Alert == "" {
					t.Error("an alert wants a name of its own")
				}
				seen[r.Alert] = true
				r.check(t)
				r.checkRunbook(t)
				if !strings.Contains(string(page), "| `"+r.Alert+"` | "+r.Labels["severity"]+" |") {
					t.Error("docs/monitoring.md does not have it in its table, with its severity")
				}
			})
		}
	}
	if len(seen) < 10 {
		t.Errorf("there are %d alerts only", len(seen))
	}
}

func (r rule) check(t *testing.T) {
	t.Helper()
	labels, problems := newChecker().check(r.Expr)
	for _, p := range problems {
		t.Errorf("expr: %s", p)
	}
	if _, err := time.ParseDuration(r.For); err != nil {
		t.Errorf("for: %v", err)
	}
	if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
		t.Errorf("severity: %q", r.Labels["severity"])
	}
	for _, name := range []string{"summary", "description"} {
		text := r.Annotations[name]
		if text == "" || strings.Contains(text, "\n") {
			t.Errorf("%s wants text on one line: %q", name, text)
		}
		for _, used := range usedLabels(t, text) {
			if !slices.Contains(labels, used) {
				t.Errorf("%s: no metric of the expression has the label %s", name, used)
			}
		}
	}
}

var labelUse = regexp.MustCompile(`\$labels\.(\w+)`)

// usedLabels parses a template of an annotation, as Prometheus does.
func usedLabels(t *testing.T, text string) []string {
	t.Helper()
	same := func(v any) any { return v }
	functions := template.FuncMap{"humanize": same, "humanizeDuration": same, "humanizePercentage": same}
	if _, err := template.New("").Funcs(functions).Parse("{{$labels := .Labels}}{{$value := .Value}}" + text); err != nil {
		t.Errorf("template: %v", err)
	}
	var used []string
	for _, m := range labelUse.FindAllStringSubmatch(text, -1) {
		used = append(used, m[1])
	}
	return used
}

// dashboard is a dashboard of Grafana, as far as we look at it.
type dashboard struct {
	Title      string  `json:"title"`
	UID        string  `json:"uid"`
	Schema     int     `json:"schemaVersion"`
	ID         *int    `json:"id"`
	Panels     []panel `json:"panels"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	DataSource  dataSource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		RefID      string     `json:"refId"`
		Expr       string     `json:"expr"`
		Legend     string     `json:"legendFormat"`
		DataSource dataSource `json:"datasource"`
	} `json:"targets"`
}

type dataSource struct{ Type, UID string }

func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || d.Schema < 36 || d.ID != nil {
		t.Errorf("it wants a title, a uid and a schema version, and no id of somebody's Grafana: %q %q %d %v", d.Title, d.UID, d.Schema, d.ID)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Type == "query" {
			checkVariable(t, v.Definition)
		}
	}
	if !slices.Contains(variables, "datasource") {
		t.Errorf("variables are %q: the data source is to be chosen", variables)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for _, q := range d.Panels[:i] {
			if p.overlaps(q) {
				t.Errorf("%q lies over %q", p.Title, q.Title)
			}
		}
		t.Run(p.Title, p.check)
	}
}

func (p panel) overlaps(q panel) bool {
	a, b := p.GridPos, q.GridPos
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

var (
	legendUse   = regexp.MustCompile(`\{\{(\w+)\}\}`)
	labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
)

// expand puts something in the place of what Grafana fills in.
func expand(expr string) string { return strings.ReplaceAll(expr, "$__rate_interval", "5m") }

func (p panel) check(t *testing.T) {
	if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 {
		t.Errorf("it is not within the 24 columns: %+v", p.GridPos)
	}
	if p.Type == "row" {
		return
	}
	ours := dataSource{Type: "prometheus", UID: "${datasource}"}
	if p.Description == "" || len(p.Targets) == 0 || p.DataSource != ours {
		t.Errorf("it wants a description, expressions, and the data source that was chosen: %+v", p)
	}
	for _, target := range p.Targets {
		labels, problems := newChecker().check(expand(target.Expr))
		for _, problem := range problems {
			t.Errorf("%s: %s", target.Expr, problem)
		}
		if target.DataSource != ours {
			t.Errorf("%s: the data source is %+v", target.Expr, target.DataSource)
		}
		for _, m := range legendUse.FindAllStringSubmatch(target.Legend, -1) {
			if !slices.Contains(labels, m[1]) {
				t.Errorf("legend %q: the metrics of %s have no such label", target.Legend, target.Expr)
			}
		}
	}
}

// checkVariable checks label_values(SELECTOR, LABEL).
func checkVariable(t *testing.T, definition string) {
	t.Helper()
	m := labelValues.FindStringSubmatch(definition)
	if m == nil {
		t.Errorf("%q is not of the form label_values(SELECTOR, LABEL)", definition)
		return
	}
	labels, problems := newChecker().check(m[1])
	if len(problems) > 0 || !slices.Contains(labels, m[2]) {
		t.Errorf("%q: %q, labels are %q", definition, problems, labels)
	}
}

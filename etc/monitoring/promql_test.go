package monitoring_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"

	"confd/internal/metrics"
)

// checker knows what the program exports, and says what is wrong with an
// expression.
type checker struct {
	defs map[string]metrics.Definition
}

func newChecker() checker {
	c := checker{defs: map[string]metrics.Definition{}}
	for _, d := range metrics.Definitions() {
		if d.Type != "histogram" {
			c.defs[d.Name] = d
			continue
		}
		c.defs[d.Name+"_sum"], c.defs[d.Name+"_count"] = d, d
		d.Labels = append(slices.Clone(d.Labels), "le")
		c.defs[d.Name+"_bucket"] = d
	}
	return c
}

// functions are those of PromQL that are used here, and whether they want a
// range: the parser knows more than PromQL has, and asks for no range.
func functions() map[string]bool {
	return map[string]bool{
		"rate": true, "increase": true, "changes": true,
		"histogram_quantile": false,
		"sum":                false, "max": false, "min": false, "count": false, "topk": false,
	}
}

// targetLabels are what Prometheus adds to all series of a target.
func targetLabels() []string { return []string{"job", "instance"} }

// fromLibrary are metrics that the Prometheus client adds.
func fromLibrary() []string {
	return []string{"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
}

// check returns what is wrong with the expression, and the labels that there
// can be in its result and its parts.
func (c checker) check(text string) (labels []string, problems []string) {
	expr, err := metricsql.Parse(text)
	if err != nil {
		return nil, []string{err.Error()}
	}
	if metricsql.IsLikelyInvalid(expr) {
		problems = append(problems, "PromQL would not take that")
	}
	labels = targetLabels()
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	metricsql.VisitAll(expr, func(e metricsql.Expr) {
		if m, ok := e.(*metricsql.MetricExpr); ok {
			labels = append(labels, c.metric(m, complain)...)
		}
	})
	metricsql.VisitAll(expr, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.FuncExpr:
			function(e, complain)
		case *metricsql.AggrFuncExpr:
			if _, ok := functions()[e.Name]; !ok {
				complain("%s is not among the functions that are known here", e.Name)
			}
		case *metricsql.ModifierExpr:
			for _, label := range e.Args {
				if !slices.Contains(labels, label) {
					complain("%s (%s): no metric here has that label", e.Op, label)
				}
			}
		}
	})
	return labels, problems
}

func function(e *metricsql.FuncExpr, complain func(string, ...any)) {
	wantsRange, known := functions()[e.Name]
	if !known {
		complain("%s is not among the functions that are known here", e.Name)
	}
	if !wantsRange {
		return
	}
	if arg, ok := e.Args[0].(*metricsql.RollupExpr); !ok || arg.Window == nil {
		complain("%s wants a range", e.Name)
	}
}

// metric checks a selector, and returns the labels that the metric has.
func (c checker) metric(m *metricsql.MetricExpr, complain func(string, ...any)) []string {
	if len(m.LabelFilterss) != 1 || m.LabelFilterss[0][0].Label != "__name__" {
		complain("%s: a selector is one name and its labels", m.AppendString(nil))
		return nil
	}
	filters := m.LabelFilterss[0]
	name := filters[0].Value
	if slices.Contains(fromLibrary(), name) {
		return nil
	}
	d, ok := c.defs[name]
	if !ok {
		complain("the program has no metric %s", name)
		return nil
	}
	for _, f := range filters[1:] {
		switch {
		case slices.Contains(targetLabels(), f.Label):
		case !slices.Contains(d.Labels, f.Label):
			complain("%s has no label %s", name, f.Label)
		default:
			checkValues(d, f, complain)
		}
	}
	return d.Labels
}

var word = regexp.MustCompile(`\w+`)

// checkValues looks for the values in the help text, which lists all there are.
func checkValues(d metrics.Definition, f metricsql.LabelFilter, complain func(string, ...any)) {
	known := word.FindAllString(d.Help, -1)
	for _, value := range strings.Split(f.Value, "|") {
		if !slices.Contains(known, value) {
			complain("%s: the help text knows no %s=%q", d.Name, f.Label, value)
		}
	}
}

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	for expr, want := range map[string]string{
		`confd_ready == `:                                      "parse",
		`confd_redy == 0`:                                      "no metric confd_redy",
		`confd_apply_duration_seconds`:                         "no metric",
		`confd_reloads_total{resul="refused"}`:                 "no label resul",
		`confd_reloads_total{result=~"refused|hangs"}`:         `no result="hangs"`,
		`sum by (sett) (confd_reloads_total)`:                  "no metric here has that label",
		`confd_held == 1 unless on (pod) confd_ready`:          "no metric here has that label",
		`rate(confd_reloads_total)`:                            "wants a range",
		`quantile_over_time(0.5, confd_ready[1h])`:             "functions",
		`sum by (le) (rate(confd_apply_duration_seconds[5m]))`: "no metric",
		`median(confd_ready)`:                                  "functions",
		`{job="confd"}`:                                        "one name",
	} {
		if _, problems := newChecker().check(expr); !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("%s: %q does not say %q", expr, problems, want)
		}
	}
	good := `sum by (job, set) (increase(confd_reloads_total{result=~"refused|hung"}[15m])) > 2`
	if _, problems := newChecker().check(good); problems != nil {
		t.Error(problems)
	}
}

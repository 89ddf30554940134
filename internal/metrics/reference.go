package metrics

import (
	"fmt"
	"strings"
)

const referenceStart = `# Metrics

<!-- Made from the program: go test ./internal/metrics -run Reference -update. Change the definitions there, not this page. -->

` + "`--listen` switches `/metrics` on: see [monitoring](monitoring.md)" + `. Besides these there are the metrics of the Go runtime
(` + "`go_*`) and of the process (`process_*`)" + `. Counters begin at 0 when the program starts. Histograms have buckets from 1 ms to 60 s.
`

// Reference is the page about all metrics, in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceStart)
	group := ""
	for _, d := range Definitions() {
		if d.Group != group {
			group = d.Group
			fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n", group)
		}
		help := d.Help
		if d.Optional != "" {
			help += fmt.Sprintf(" (only with `%s`)", d.Optional)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, strings.Join(d.Labels, ", "), help)
	}
	return b.String()
}

package doctor

import (
	"fmt"
	"strings"
)

const pageStart = `# What confd doctor finds

<!-- Made from the program by "confd docs doctor". Change the tables of codes there, not this page. -->

` + "`confd doctor`" + ` looks at the whole cluster, from the live datastore or from files (` + "`--data`" + `), and says what is wrong with it. On a node
it also asks BIRD, unless the cluster comes from files: nobody knows then whether they are of this machine. Nor does it where BIRD's router ID is the address of another node
than ` + "`--node`" + ` names: then it is that node's.

- Each kind of finding has a code: a number, and a name that warnings in logs and reports have, too. Both stay as they are.
- ` + "`--ignore BGP044,large-mesh`" + ` says nothing of these.
- It ends with 4 where there is an error, with 3 where there is a warning, and with 0 where there is neither. ` + "`--fail-on error`" + ` has warnings
  end with 0, too.
- ` + "`--output json`" + ` and ` + "`yaml`" + ` are for programs.

It reads, and changes nothing. What it says of sessions follows from the resources: it looks at some nodes of each kind, of which the others only
differ in addresses and blocks.

| code | name | severity | seen |
| --- | --- | --- | --- |
`

// Page is the page about the codes, in Markdown.
func Page() string {
	var b strings.Builder
	b.WriteString(pageStart)
	for _, c := range Codes() {
		seen := "in resources"
		if c.Live {
			seen = "on a node, from BIRD"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | `%s` | %s | %s |\n", c.ID, strings.ToLower(c.ID), c.Name, c.Severity, seen)
	}
	for _, c := range Codes() {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`, %s\n\n> %s\n\n*What comes of it:* %s\n\n*What to do:* %s\n", c.ID, c.Name, c.Severity, c.Says, c.Consequence, c.Cure)
	}
	return b.String()
}

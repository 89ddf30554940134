package main

import (
	"fmt"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/internal/doctor"
)

const inputStart = `# What confd says about your input

<!-- Made from the program by "confd docs input". Change the tables of codes and fields there, not this page. -->

confd reads what Calico reads, and says what Calico's tools refuse or pass over without a word: a field that is mistyped, a file that is half
written, a template that nobody rendered. Each kind of warning has a name, its code, which stays as it is.

- **In a file** a warning has the place, ` + "`FILE:LINE:COLUMN`" + `, and on a terminal or in a log of texts the line with a caret below it. Of a Secret
  nothing is ever shown.
- **From etcd or Kubernetes** a warning names the object and the field. It is said once, not at each change of the object.
- ` + "`confd render --strict`, `confd diff --strict` and `confd -onetime --strict`" + ` do what there is to do, and end with 1 where there was something to warn of
  (advice, marked below, does not count).
- [` + "`confd test`" + `](golden-tests.md) fails where there is a warning that its case does not list; with ` + "`--strict`" + ` also where it does.
- The running program keeps the list in its report (` + "`confd status`" + `).

## What is written
`

const inputFiles = `
## Files

A file may be YAML or JSON, with as many documents as there are: after ` + "`---`" + `, or, as ` + "`jq -c`" + ` and ` + "`>>`" + ` leave them, one JSON object after the other. Read are:

- what ` + "`calicoctl get -o yaml|json`, `kubectl get -o yaml|json` and `confd export`" + ` print
- what ` + "`calicoctl datastore migrate export`" + ` writes, with the IPAM part at its end
- unpacked trees of must-gather and Velero, and archives of such (` + "`.tgz`, `.tar.gz`, `.tar`" + `), where the archive itself is named; nothing is unpacked to
  disk, links are not followed, and there are limits: 64 MB a file, 1 GB and 200,000 files an archive
- resource files of calicoctl before Calico 3: not read, but named (` + "`old-format`" + `)

Calico's Node and the Kubernetes Node of one name are one node: Calico's counts, and the Kubernetes Node adds its labels (of one name, its own
counts), its podCIDRs, and what Calico's does not say.

A document that cannot be read does not take others with it. While confd runs:

- As long as something in a file cannot be read, nothing that was in this file before goes, unless it is there in another form.
- A file that was written in place, and has become shorter, lost objects, or does not end with a line, may be in the middle of that: it is
  believed when nobody has written to it for 3 seconds. A new file that is put in its place (as mv, editors and ConfigMaps do) counts at once.

## Fields

All fields that Calico and Kubernetes define are known; others are ` + "`unknown-field`" + `. Below ` + "`metadata`" + ` only what looks like name, labels or annotations
mistyped is odd, and in a FelixConfiguration what looks like a field that confd reads.

| kind | fields that confd reads | fields without effect on BGP |
| --- | --- | --- |
`

// inputPage is the page about warnings, in Markdown.
func inputPage() string {
	var b strings.Builder
	b.WriteString(inputStart)
	writeCodes(&b, backends.Codes())
	b.WriteString("\n## What a node makes of it\n\nThese show when a node's configuration is worked out, whatever the store is.\n")
	writeCodes(&b, bgp.Codes())
	b.WriteString(inputFiles)
	for _, kind := range append([]string{"v1/Node"}, kindNames()...) {
		read, others := backends.KnownFields(kind)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Replace(kind, "v1/Node", "Node (Kubernetes)", 1), fieldList(read), fieldList(others))
	}
	return b.String()
}

func kindNames() []string {
	var names []string
	for _, k := range backends.Kinds() {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return names
}

func fieldList(paths []string) string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = code(p)
	}
	return strings.Join(list, " ")
}

func writeCodes(b *strings.Builder, codes []backends.CodeInfo) {
	for _, c := range codes {
		advice := ""
		if c.Advice {
			advice = " (advice)"
		}
		fmt.Fprintf(b, "\n### `%s`%s\n\n> %s\n\n%s\n\n*What to do:* %s\n\n*[confd doctor](doctor.md):* %s\n", c.Code, advice, c.Says, c.Means, c.Do, doctor.Number(c.Code))
	}
}

package templates

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dataPage = "../docs/template-data.md"

// TestDocsTemplateData holds the page on template data to what the source says.
func TestDocsTemplateData(t *testing.T) {
	d := readDataTypes(t)
	got := dataPageStart + d.page() + functionsText(t)
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(dataPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(dataPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the source says (go test ./templates -run Docs -update rewrites it):\n%s", dataPage, diff)
	}
}

// dataTypes are the types of the template data, as their source has them.
type dataTypes struct {
	t *testing.T
	// specs, docs and methods are by type: "Session", "bgp.Session". Constants
	// are the values of the types that are words.
	specs     map[string]*ast.TypeSpec
	docs      map[string]string
	methods   map[string][]*ast.FuncDecl
	constants map[string][]*ast.ValueSpec
}

func readDataTypes(t *testing.T) *dataTypes {
	d := &dataTypes{
		t: t, specs: map[string]*ast.TypeSpec{}, docs: map[string]string{},
		methods: map[string][]*ast.FuncDecl{}, constants: map[string][]*ast.ValueSpec{},
	}
	for _, source := range []struct{ file, prefix string }{{"data.go", ""}, {"version.go", ""}, {"../bgp/model.go", "bgp."}} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(source.file), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			d.add(source.prefix, decl)
		}
	}
	return d
}

func (d *dataTypes) add(prefix string, decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Recv != nil && decl.Name.IsExported() {
			name := d.typeName(prefix, decl.Recv.List[0].Type)
			d.methods[name] = append(d.methods[name], decl)
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				d.specs[prefix+spec.Name.Name] = spec
				d.docs[prefix+spec.Name.Name] = oneLine(decl.Doc)
			case *ast.ValueSpec:
				if spec.Type != nil {
					name := d.typeName(prefix, spec.Type)
					d.constants[name] = append(d.constants[name], spec)
				}
			}
		}
	}
}

// typeName is the name of a type, without pointers, as seen from this package.
func (d *dataTypes) typeName(prefix string, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		if token.IsExported(e.Name) {
			return prefix + e.Name
		}
		return e.Name
	case *ast.StarExpr:
		return d.typeName(prefix, e.X)
	case *ast.SelectorExpr:
		return fmt.Sprint(e.X, ".", e.Sel)
	}
	d.t.Errorf("a type of template data is neither a name nor a pointer to one: %T", e)
	return ""
}

func oneLine(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			return strings.ReplaceAll(text, "|", `\|`)
		}
	}
	return ""
}

// page is a section for each type, beginning with the template's ".".
func (d *dataTypes) page() string {
	var b strings.Builder
	todo := []string{"Data"}
	for i := 0; i < len(todo); i++ {
		for _, used := range d.section(&b, todo[i]) {
			if !slices.Contains(todo, used) {
				todo = append(todo, used)
			}
		}
	}
	return b.String()
}

// section writes the section of a type, and returns the types it refers to.
func (d *dataTypes) section(b *strings.Builder, name string) (uses []string) {
	if d.docs[name] == "" {
		d.t.Errorf("type %s needs a comment", name)
	}
	prefix := ""
	if strings.HasPrefix(name, "bgp.") {
		prefix = "bgp."
	}
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", name, d.docs[name])
	s, ok := d.specs[name].Type.(*ast.StructType)
	if !ok {
		d.words(b, name)
		return nil
	}
	b.WriteString("| field | type | meaning |\n| --- | --- | --- |\n")
	for _, f := range s.Fields.List {
		text, used := d.typeText(prefix, f.Type)
		uses = append(uses, used...)
		names := []string{}
		for _, n := range f.Names {
			if n.IsExported() {
				names = append(names, "`."+n.Name+"`")
			}
		}
		if len(f.Names) == 0 {
			names = append(names, "(all of it)")
		}
		if len(names) == 0 {
			continue
		}
		doc := oneLine(f.Doc, f.Comment)
		if doc == "" {
			d.t.Errorf("%s: field %s needs a comment of its own", name, strings.Join(names, ", "))
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.Join(names, ", "), text, doc)
	}
	d.methodRows(b, name, prefix)
	return uses
}

// methodRows lists the methods that templates can call: those with one result.
func (d *dataTypes) methodRows(b *strings.Builder, name, prefix string) {
	for _, m := range d.methods[name] {
		if m.Type.Results == nil || len(m.Type.Results.List) != 1 || name == "bgp.Config" {
			continue // the families of a Config are those of Data
		}
		call := m.Name.Name
		for _, p := range m.Type.Params.List {
			for _, n := range p.Names {
				call += " " + strings.ToUpper(n.Name)
			}
		}
		text, _ := d.typeText(prefix, m.Type.Results.List[0].Type)
		doc := oneLine(m.Doc)
		if doc == "" {
			d.t.Errorf("%s: method %s needs a comment", name, m.Name)
		}
		fmt.Fprintf(b, "| `.%s` | %s | %s |\n", call, text, doc)
	}
}

// words lists the values of a type that is a word.
func (d *dataTypes) words(b *strings.Builder, name string) {
	if len(d.constants[name]) == 0 {
		d.t.Errorf("type %s is no struct and has no constants", name)
	}
	b.WriteString("| value | meaning |\n| --- | --- |\n")
	for _, c := range d.constants[name] {
		value := c.Values[0].(*ast.BasicLit).Value
		text := oneLine(c.Doc, c.Comment)
		if text == "" {
			text = d.wordText(name, value)
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", value, text)
	}
}

// wordText explains values whose names say all in Go.
func (d *dataTypes) wordText(name, value string) string {
	text := map[string]string{
		`bgp.SessionKind "Mesh"`:           "the mesh of all nodes",
		`bgp.SessionKind "Global"`:         "a BGPPeer for every node",
		`bgp.SessionKind "Node"`:           "a BGPPeer for some nodes, or the answer to a session that another node has with this one",
		`bgp.SessionKind "Local_Workload"`: "a workload of this node that speaks BGP",
		`bgp.NextHop ""`:                   "BGP's own rule",
		`bgp.NextHop "self"`:               "this node",
		`bgp.NextHop "keep"`:               "as it was received",
		`bgp.PoolAction "reject"`:          "somebody else programs them",
		`bgp.PoolAction "accept"`:          "BIRD programs them",
		`bgp.PoolAction "tunnel"`:          "BIRD programs them, over tunl0",
		`bgp.PoolAction "cross-subnet"`:    "BIRD programs them, over tunl0 where the next hop is outside this node's subnet",
	}[name+" "+value]
	if text == "" {
		d.t.Errorf("the value %s of %s needs a comment", value, name)
	}
	return text
}

// typeText is a type in words, with links, and the types that it names which
// have a section of their own.
func (d *dataTypes) typeText(prefix string, e ast.Expr) (string, []string) {
	switch e := e.(type) {
	case *ast.ArrayType:
		text, uses := d.typeText(prefix, e.Elt)
		return "list of " + text, uses
	case *ast.StarExpr:
		name := d.typeName(prefix, e.X)
		if text, plain := plainTypes()[name]; plain && name == "uint32" {
			return text + ", or nothing", nil
		}
		return d.typeText(prefix, e.X)
	}
	name := d.typeName(prefix, e)
	if text, ok := plainTypes()[name]; ok {
		return text, nil
	}
	if d.specs[name] == nil {
		d.t.Errorf("type %s is not one that the page knows: add it to plainTypes", name)
		return name, nil
	}
	return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(strings.ReplaceAll(name, ".", ""))), []string{name}
}

// plainTypes are the types without a section, in words.
func plainTypes() map[string]string {
	return map[string]string{
		"string": "text", "bool": "true or false", "any": "anything",
		"int": "number", "uint8": "number", "uint16": "number", "uint32": "number",
		"netip.Addr": "address", "netip.Prefix": "network",
		"backends.Key":         "resource",
		"backends.Code":        "text",
		"backends.Community":   "community",
		"backends.NextHopMode": "text: `Auto`, `Self`, `Keep` or nothing",
		"backends.BGPFilter":   "BGPFilter: its `.Name`, and the rules that `.FilterFunctions` are made of",
	}
}

const dataPageStart = `# Template data

<!-- Made from the source by "go test ./templates -run Docs -update". Change the comments there, not this page. -->

Templates of your own can print BIRD's configuration in two ways: from the data on this page, which is what the built-in templates do, or from
Calico's key tree and ` + "`getBGPConfig`" + `, as templates for Calico's confd do. Both can be used in one template.

` + "`confd templates export DIR`" + ` writes the built-in templates as a starting point. ` + "`confd --confdir DIR`" + ` uses a folder, and
[golden checks](golden-tests.md) tell when what it makes changes. The language is Go's [text/template](https://pkg.go.dev/text/template).

A template resource is a file ` + "`conf.d/NAME.toml`" + ` with a table ` + "`[template]`" + `. Besides Calico's keys (` + "`src`, `dest`, `keys`, `prefix`, `mode`, `uid`, `gid`,\n`check_cmd`, `reload_cmd`" + `) it can have:

| key | meaning |
| --- | --- |
| ` + "`daemon`" + ` | ` + "`\"bird\"` or `\"bird6\"`" + `: this BIRD is started with the file; it checks and reloads it over its control socket, so no commands are needed |
| ` + "`family`" + ` | 4 or 6: ` + "`.Families`" + ` has this address family only |
| ` + "`bird`" + ` | the major versions of BIRD that the resource is for, such as ` + "`[2, 3]`" + `; without it: all |

Files in ` + "`templates/lib/`" + ` are no templates of their own: what they ` + "`define`" + ` can be used in all others.

## Types

The template's ` + "`.`" + ` is a [Data](#data). Besides text and numbers there are:

| type | what to do with it |
| --- | --- |
| address | printed, an IP address; ` + "`.IsValid`" + ` is false where there is none, ` + "`.Is4`" + ` and ` + "`.Is6`" + ` tell the family |
| network | printed, a CIDR; ` + "`.IsValid`" + ` as above, ` + "`.Addr`" + ` is its address and ` + "`.Bits`" + ` its length |
| number, or nothing | ` + "`{{with .KeepaliveTime}}keepalive time {{.}};{{end}}`" + ` |
| resource | printed, its kind and name; or ` + "`.Kind`, `.Namespace`, `.Name`" + ` |
| community | printed, ` + "`A:B` or `A:B:C`" + `; or ` + "`.Large`, `.A`, `.B`, `.C`" + `; the function ` + "`communityAdd`" + ` makes the statement |
`

// functionHelp says how each function is called, and what it gives.
func functionHelp() map[string][2]string {
	return map[string][2]string{
		"exists": {"KEY", "whether the key has a value"},
		"get":    {"KEY", "the key with its value, as `.Key` and `.Value`; an error where it has none"},
		"getv":   {"KEY [DEFAULT]", "the key's value; where it has none, the default or an error"},
		"gets":   {"PATTERN", "the keys that match, with their values, sorted; `*` matches up to the next `/`"},
		"getvs":  {"PATTERN", "the values of the keys that match, sorted"},
		"ls":     {"KEY", "the names right below the key, sorted"},
		"lsdir":  {"KEY", "the names right below the key that have others below them, sorted"},

		"getBGPConfig":           {"VERSION .", "the computed configuration for address family 4 or 6, in the form of Calico's templates, for BIRD 1"},
		"bgpFilterBIRDFuncs":     {"PAIRS VERSION", "the functions of BGPFilters, as lines; PAIRS is what `gets` found"},
		"emitBIRDBGPFilterFuncs": {"PAIRS VERSION", "`bgpFilterBIRDFuncs`, as templates of release 3.26 call it"},
		"emitFunctionName":       {"NAME DIRECTION VERSION", "`bgpFilterFunctionName`, as templates of release 3.26 call it"},
		"bgpFilterFunctionName":  {"NAME DIRECTION VERSION", "the name of a BGPFilter's function, in quotes; DIRECTION is import or export"},
		"hashToIPv4":             {"NAME", "a router ID made from a name"},

		"quote":        {"TEXT", "a string of BIRD; text that none can hold is an error"},
		"comment":      {"TEXT", "the text on one line, to stand behind a `#`"},
		"symbol":       {"NAME", "a name between the quotes that BIRD wants around odd ones; one that it cannot hold is an error"},
		"interfaces":   {"LIST", "the pattern list of an interface option; a leading `-` excludes"},
		"communityAdd": {"COMMUNITY", "the statement that adds a community to a route"},
		"preferenceOf": {"PRIORITY", "the local preference that a route priority (metric) means: 2147483647 less it"},
		"eachSession": {"NAME FAMILY", "writes all sessions of a family, each with the template of that name, whose `.` is a [Session](#session). " +
			"What it wrote of a session stays as it is until the session changes, unless it asks for keys or the environment"},
		"addressSet": {"LIST", "a set of addresses, as BIRD writes it"},
		"prefixSet":  {"LIST", "the same of networks"},

		"getenv":     {"NAME [DEFAULT]", "an environment variable, or the default where it is empty; NODENAME is always there"},
		"fileExists": {"PATH", "whether there is a file or folder"},
		"datetime":   {"", "the time, as Go's time.Time; what prints it never renders the same twice"},
		"lookupIP":   {"NAME", "the addresses of a host name, sorted; none where it has none"},
		"lookupIPV4": {"NAME", "its IPv4 addresses"},
		"lookupIPV6": {"NAME", "its IPv6 addresses"},
		"lookupSRV":  {"SERVICE PROTO NAME", "SRV records, sorted, with `.Target`, `.Port`, `.Priority` and `.Weight`"},

		"base":       {"PATH", "the last part of a path"},
		"dir":        {"PATH", "all but the last part"},
		"split":      {"TEXT SEPARATOR", "a list of the parts"},
		"print":      {"VALUE...", "the values as one text"},
		"println":    {"VALUE...", "the values as one line"},
		"printf":     {"FORMAT VALUE...", "a text with the values in it"},
		"join":       {"LIST SEPARATOR", "the parts as one text"},
		"toUpper":    {"TEXT", "in capital letters"},
		"toLower":    {"TEXT", "in small letters"},
		"contains":   {"TEXT PART", "whether the part is in the text"},
		"replace":    {"TEXT OLD NEW N", "the first N occurrences replaced; all with -1"},
		"hasPrefix":  {"TEXT START", "whether the text starts with it"},
		"hasSuffix":  {"TEXT END", "whether the text ends with it"},
		"trimSuffix": {"TEXT END", "the text without that end"},

		"json":         {"TEXT", "a JSON object, as a map"},
		"jsonArray":    {"TEXT", "a JSON list"},
		"map":          {"KEY VALUE ...", "a map of the arguments"},
		"base64Encode": {"TEXT", "the text in base64"},
		"base64Decode": {"TEXT", "what is encoded in base64"},
		"parseBool":    {"TEXT", "true or false"},
		"atoi":         {"TEXT", "a number"},
		"html":         {"VALUE...", "the values as one text, for HTML"},
		"js":           {"VALUE...", "the values as one text, for a string of JavaScript"},
		"urlquery":     {"VALUE...", "the values as one text, for a value in a URL"},
		"seq":          {"FIRST LAST", "a list of numbers"},
		"add":          {"A B", "A + B"},
		"sub":          {"A B", "A - B"},
		"mul":          {"A B", "A times B"},
		"div":          {"A B", "A divided by B, without the rest"},
		"mod":          {"A B", "the rest of that"},

		"reverse":        {"LIST", "the list, last one first"},
		"sortByLength":   {"LIST", "the list, shortest text first"},
		"sortKVByLength": {"PAIRS", "what `gets` found, shortest key first"},
	}
}

// functionsText lists the functions that templates have.
func functionsText(t *testing.T) string {
	help := functionHelp()
	var b strings.Builder
	b.WriteString("\n## Functions\n\nBesides those of [text/template](https://pkg.go.dev/text/template#hdr-Functions):\n\n| function | what it gives |\n| --- | --- |\n")
	functions := (&run{}).functions()
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		if slices.Contains([]string{tickName, enterName, leaveName}, name) {
			continue
		}
		text, ok := help[name]
		if !ok {
			t.Errorf("function %s needs a line in functionHelp", name)
		}
		delete(help, name)
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace(name+" "+text[0]), text[1])
	}
	for name := range help {
		t.Errorf("functionHelp explains %s, which templates do not have", name)
	}
	return b.String()
}

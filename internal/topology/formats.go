package topology

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The formats that a graph is written in.
const (
	FormatSVG     = "svg"
	FormatHTML    = "html"
	FormatDOT     = "dot"
	FormatMermaid = "mermaid"
	FormatJSON    = "json"
)

// Formats are all of them.
func Formats() []string {
	return []string{FormatSVG, FormatHTML, FormatDOT, FormatMermaid, FormatJSON}
}

// ErrFormat says that there is no such format.
var ErrFormat = errors.New("expected " + strings.Join(Formats(), ", "))

// Write writes the graph in a format.
func (g *Graph) Write(w io.Writer, format string) error {
	switch format {
	case FormatSVG:
		return g.SVG(w)
	case FormatHTML:
		return g.HTML(w)
	case FormatDOT:
		return g.text(w, g.dot)
	case FormatMermaid:
		return g.text(w, g.mermaid)
	case FormatJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(g)
	}
	return fmt.Errorf("%q: %w", format, ErrFormat)
}

func (g *Graph) text(w io.Writer, write func(*strings.Builder)) error {
	var b strings.Builder
	write(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// dot is Graphviz's language: dot -Tsvg lays it out.
func (g *Graph) dot(b *strings.Builder) {
	b.WriteString("graph topology {\n  node [shape=box, style=rounded];\n")
	for _, n := range g.Nodes {
		fmt.Fprintf(b, "  %s [label=%s, class=%s];\n", dotQuote(n.Name), dotQuote(fmt.Sprintf("%s\nAS %d", n.Name, n.AS)), dotQuote(string(n.Role)))
	}
	if g.Mesh > 0 {
		fmt.Fprintf(b, "  \"full mesh\" [label=%s, shape=ellipse];\n", dotQuote(fmt.Sprintf("full mesh of %d", g.Mesh)))
		for _, n := range g.Nodes {
			if n.Meshed {
				fmt.Fprintf(b, "  %s -- \"full mesh\";\n", dotQuote(n.Name))
			}
		}
	}
	for _, l := range g.Links {
		fmt.Fprintf(b, "  %s -- %s%s;\n", dotQuote(l.A), dotQuote(l.B), map[bool]string{true: " [color=red]"}[l.Down])
	}
	b.WriteString("}\n")
}

// dotQuote writes a string of Graphviz's language, in which a backslash begins what
// stands for a line's end.
func dotQuote(text string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	return `"` + r.Replace(text) + `"`
}

// mermaid is what Markdown pages draw.
func (g *Graph) mermaid(b *strings.Builder) {
	b.WriteString("graph TD\n")
	ids := map[string]string{}
	for i, n := range g.Nodes {
		ids[n.Name] = "n" + strconv.Itoa(i)
		fmt.Fprintf(b, "  %s[\"%s<br>AS %d\"]\n", ids[n.Name], mermaidText(n.Name), n.AS)
	}
	if g.Mesh > 0 {
		fmt.Fprintf(b, "  mesh((\"full mesh of %d\"))\n", g.Mesh)
		for _, n := range g.Nodes {
			if n.Meshed {
				fmt.Fprintf(b, "  %s --- mesh\n", ids[n.Name])
			}
		}
	}
	for _, l := range g.Links {
		line := "---"
		if l.Down || l.OneSided {
			line = "-.-"
		}
		fmt.Fprintf(b, "  %s %s %s\n", ids[l.A], line, ids[l.B])
	}
}

// mermaidText leaves out what has a meaning in a label.
func mermaidText(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "\n", " ").Replace(text)
}

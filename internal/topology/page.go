package topology

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// The page's own parts, and where it was fetched before the build ("make d3") the
// library that zooms. A build without it makes pages that do not zoom.
//
//go:embed assets
var assets embed.FS

// HTML writes the graph as one page that needs nothing else, from a disk or a
// server: zoom, search for a node, colours by role, group or AS, and what each
// node and session is about.
func (g *Graph) HTML(w io.Writer) error {
	var svg strings.Builder
	if err := g.SVG(&svg); err != nil {
		return err
	}
	data, err := json.Marshal(g.about()) // safe between script's tags
	if err != nil {
		return fmt.Errorf("writing the topology: %w", err)
	}
	script, err := assets.ReadFile("assets/page.js")
	if err != nil {
		return fmt.Errorf("writing the topology: %w", err)
	}
	d3, _ := assets.ReadFile("assets/d3.min.js") // see assets
	page, err := template.ParseFS(assets, "assets/page.html")
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	err = page.Execute(w, map[string]any{
		"Title": g.Summary(),
		// What the SVG has of users' text was escaped where it was made.
		"SVG":  template.HTML(svg.String()),
		"Data": template.JS(data), "Script": template.JS(script), "D3": template.JS(d3),
	})
	if err != nil {
		return fmt.Errorf("writing the topology: %w", err)
	}
	return nil
}

// told is what the page shows of what is chosen.
type told struct {
	Nodes map[string]string `json:"nodes"`
	Links []toldLink        `json:"links"`
}

type toldLink struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Text string `json:"text"`
}

func (g *Graph) about() told {
	t := told{Nodes: map[string]string{}, Links: []toldLink{}}
	for _, n := range g.Nodes {
		t.Nodes[n.Name] = n.Text()
	}
	for _, l := range g.Links {
		t.Links = append(t.Links, toldLink{l.A, l.B, l.Text() + "\n\nconfd explain session " + l.A + " " + l.B})
	}
	return t
}

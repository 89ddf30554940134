package diff

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"

	"confd/bgp"
)

// jsonVersion is that of the form: it changes where something of it is renamed,
// goes, or means something else. What is new may come without that.
const jsonVersion = 1

type (
	jsonReport struct {
		Version  int           `json:"version"`
		From     string        `json:"from"`
		To       string        `json:"to"`
		Overlay  bool          `json:"overlay"`
		Bird     string        `json:"bird"`
		Nodes    int           `json:"nodes"`
		Changed  int           `json:"changed"`
		Groups   []jsonGroup   `json:"groups"`
		Problems []jsonProblem `json:"problems"`
	}
	jsonGroup struct {
		Kind    Kind         `json:"kind"`
		Nodes   []string     `json:"nodes"`
		Summary string       `json:"summary"`
		Changes *jsonChanges `json:"changes,omitempty"`
		Files   []jsonFile   `json:"files"`
	}
	jsonFile struct {
		Path string `json:"path"`
		Diff string `json:"diff"`
	}
	jsonChanges struct {
		Sessions jsonSessions `json:"sessions"`
		IPv4     jsonFamily   `json:"ipv4"`
		IPv6     jsonFamily   `json:"ipv6"`
		Settings []string     `json:"settings"`
	}
	jsonSessions struct {
		Added      []string `json:"added"`
		Removed    []string `json:"removed"`
		Restarted  []string `json:"restarted"`
		Refiltered []string `json:"refiltered"`
		Reasked    []string `json:"reasked"`
	}
	jsonFamily struct {
		StaticsGained []string `json:"staticsGained"`
		StaticsLost   []string `json:"staticsLost"`
		BlocksGained  []string `json:"blocksGained"`
		BlocksLost    []string `json:"blocksLost"`
		Kernel        bool     `json:"kernelPolicy"`
	}
	jsonProblem struct {
		Object  string `json:"object"`
		Text    string `json:"text"`
		Code    string `json:"code,omitempty"`
		LeftOut bool   `json:"leftOut"`
	}
)

// JSON writes a report as JSON. Lists that have nothing in them are empty, and not
// left out.
func (r *Report) JSON(w io.Writer) error {
	out := jsonReport{
		Version: jsonVersion, From: r.From, To: r.To, Overlay: r.IsOverlay(), Bird: r.Bird, Nodes: r.Nodes, Changed: r.Changed(),
		Groups: []jsonGroup{}, Problems: []jsonProblem{},
	}
	for _, g := range r.Groups {
		out.Groups = append(out.Groups, groupJSON(g))
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, jsonProblem{p.Object.String(), p.Text, string(p.Code), p.LeftOut})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("writing JSON: %w", err)
	}
	return nil
}

func groupJSON(g Group) jsonGroup {
	out := jsonGroup{Kind: g.Kind, Nodes: g.Nodes, Summary: g.Changes.String(), Files: []jsonFile{}}
	for _, f := range g.Files {
		out.Files = append(out.Files, jsonFile(f))
	}
	if g.Err != nil {
		out.Summary = g.Err.Error()
		return out
	}
	changes := changesJSON(g.Changes)
	out.Changes = &changes
	return out
}

func changesJSON(c bgp.Changes) jsonChanges {
	return jsonChanges{
		Sessions: jsonSessions{list(c.Added), list(c.Removed), list(c.Restarted), list(c.Refiltered), list(c.Reasked)},
		IPv4:     familyJSON(c.Families[0]), IPv6: familyJSON(c.Families[1]), Settings: list(c.Settings),
	}
}

func familyJSON(f bgp.FamilyChanges) jsonFamily {
	return jsonFamily{
		StaticsGained: texts(f.StaticsGained, bgp.StaticRoute.String), StaticsLost: texts(f.StaticsLost, bgp.StaticRoute.String),
		BlocksGained: texts(f.BlocksGained, netip.Prefix.String), BlocksLost: texts(f.BlocksLost, netip.Prefix.String),
		Kernel: f.Kernel,
	}
}

// list is l, and an empty list where there is none.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

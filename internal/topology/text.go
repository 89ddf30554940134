package topology

import (
	"fmt"
	"strconv"
	"strings"

	"confd/internal/terminal"
)

// Summary is the graph in one line.
func (g *Graph) Summary() string {
	roles := map[Role]int{}
	for _, n := range g.Nodes {
		roles[n.Role]++
	}
	down, oneSided := 0, 0
	for _, l := range g.Links {
		if l.Down {
			down++
		}
		if l.OneSided {
			oneSided++
		}
	}
	parts := []string{terminal.Count(len(g.Nodes)-roles[Router], "node")}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, terminal.Count(n, what))
		}
	}
	add(roles[Reflector], "route reflector")
	add(roles[Router], "router")
	if g.Mesh > 0 {
		parts = append(parts, fmt.Sprintf("a full mesh of %d", g.Mesh))
	}
	add(len(g.Links)-down, "peering")
	add(oneSided, "one-sided peering")
	if down > 0 {
		parts = append(parts, strconv.Itoa(down)+" down")
	}
	return strings.Join(parts, ", ")
}

// Text is what there is to say of a node, on a few lines.
func (n Node) Text() string {
	lines := []string{fmt.Sprintf("%s: %s, AS %d", n.Name, n.Role, n.AS)}
	if n.Meshed && n.Role != Mesh {
		lines[0] += ", in the mesh"
	}
	if n.ClusterID.IsValid() {
		lines = append(lines, "cluster ID "+n.ClusterID.String())
	}
	for _, a := range n.Addresses {
		lines = append(lines, a.String())
	}
	if n.Problem != "" {
		lines = append(lines, "no configuration: "+n.Problem)
	}
	return strings.Join(lines, "\n")
}

// Text is what there is to say of a link: its sessions, and why they are there.
func (l Link) Text() string {
	lines := []string{l.A + " - " + l.B}
	for _, s := range l.Sessions {
		line := fmt.Sprintf("on %s: %s, %s", s.Node, s.Name, s.Why)
		if s.Client {
			line += " (its reflector's client)"
		}
		if s.State != "" {
			line += ": " + s.State
		}
		lines = append(lines, line)
	}
	if l.OneSided {
		lines = append(lines, "only one side has it: it never comes up")
	}
	return strings.Join(lines, "\n")
}

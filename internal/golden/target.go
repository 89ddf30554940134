package golden

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"confd/bgp"
	"confd/internal/settings"
)

// Target is what one case wants for one node and one version of BIRD.
type Target struct {
	*Case
	// ID is the case's name, and node and BIRD version where the case has lists
	// of them: "examples/rack/node-1/2.17.6".
	ID string
	// Node is the node's name; Bird is BIRD's version as it stands in the case.
	Node, Bird string
	// Dir is the folder of the wanted files, below the case's.
	Dir string

	bird bird
	// strays is set for the first target of a case: files that no target wants
	// are for it to report. It has the folders of all the case's targets.
	strays map[string]bool
}

// targets are the case's nodes and versions of BIRD, each with each; those of one
// node together. names are its nodes.
func (c *Case) targets(names []string) [][]Target {
	all := make([][]Target, len(names))
	dirs := make(map[string]bool, len(names)*len(c.birds))
	for i, node := range names {
		for _, b := range c.birds {
			below := ""
			if c.nodeFolders {
				below = node
			}
			if c.birdFolders {
				below = path.Join(below, b.text)
			}
			t := Target{
				Case: c, Node: node, Bird: b.text, bird: b,
				ID: path.Join(filepath.ToSlash(c.Name), below), Dir: path.Join(wantFolder, below),
			}
			if len(dirs) == 0 {
				t.strays = dirs
			}
			dirs[t.Dir] = true
			all[i] = append(all[i], t)
		}
	}
	return all
}

// hasPatterns says whether the names of the nodes depend on the case's data.
func (c *Case) hasPatterns() bool { return slices.ContainsFunc(c.nodes, isPattern) }

// nodeNames are the names of the case's nodes: in the order of case.toml, and
// those that a pattern matches by name. load gives the case's resources.
func (c *Case) nodeNames(load func() (*bgp.Cluster, error)) ([]string, error) {
	cluster, err := load()
	if err != nil {
		return nil, err
	}
	known := slices.Sorted(maps.Keys(cluster.State().Nodes))
	var names []string
	seen := map[string]bool{}
	for _, pattern := range c.nodes {
		matched := []string{pattern}
		if isPattern(pattern) {
			if matched = matching(known, pattern); len(matched) == 0 {
				return nil, settings.Error{Err: fmt.Errorf("%s: no Node of the case's resources matches %q", c.at("node"), pattern)}
			}
		}
		for _, name := range matched {
			if err := checkName(name); err != nil {
				return nil, settings.Error{Err: fmt.Errorf("%s: %q matches a node whose name cannot be that of a folder: %w", c.at("node"), pattern, err)}
			}
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// matching are the names that a pattern, which is a good one, matches.
func matching(names []string, pattern string) []string {
	var out []string
	for _, name := range names {
		if ok, _ := path.Match(pattern, name); ok {
			out = append(out, name)
		}
	}
	return out
}

package golden

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// The names in a case's folder.
const (
	CaseFile     = "case.toml"
	wantFolder   = "want"
	DataFolder   = "data"
	warningsFile = "warnings.txt"
)

// Case is one folder with a case.toml.
type Case struct {
	// Name is the folder's path, as the folder was found.
	Name string
	// Settings are those that confd's other commands have too: texts by name.
	Settings map[string]string
	// ConfDir is the folder with conf.d and templates; empty: the built-in one.
	ConfDir string
	// EndpointStatus is the folder of the endpoint status files; empty: none.
	EndpointStatus string
	// Data are the paths of the files and folders with resources.
	Data []string
	// Env is all that templates see of an environment.
	Env map[string]string
	// Warnings are those that are expected: codes, or parts of their texts. Any
	// other one fails.
	Warnings []string
	// Targets are the case's nodes and versions of BIRD, each with each.
	Targets []Target

	text []byte // of case.toml
}

// Settings are what a case.toml says. Those that other commands have too have
// the same names as there. Paths are relative to the case's folder.
type Settings struct {
	// Node or Nodes: whose files are wanted.
	Node  string   `toml:"node,omitempty"`
	Nodes []string `toml:"nodes,omitempty"`
	// Bird is a version of BIRD, or a list of some.
	Bird any `toml:"bird,omitempty"`

	RouterID    string   `toml:"router-id,omitempty"`
	K8sNodeRef  string   `toml:"k8s-node-ref,omitempty"`
	ClusterIPs  []string `toml:"advertise-cluster-ips,omitempty"`
	LogSeverity string   `toml:"bgp-log-severity,omitempty"`
	Namespace   string   `toml:"namespace,omitempty"`
	Prefix      string   `toml:"prefix,omitempty"`
	Passwords   bool     `toml:"require-passwords,omitempty"`

	ConfDir        string            `toml:"confdir,omitempty"`
	EndpointStatus string            `toml:"endpoint-status,omitempty"`
	Data           []string          `toml:"data,omitempty"`
	Warnings       []string          `toml:"warnings,omitempty"`
	Env            map[string]string `toml:"env,omitempty"`
}

// Find finds the cases in dirs: each is one, or has some below it. They come in
// the order of dirs, then by name; none comes twice. An error names every case
// that is broken.
func Find(dirs []string) ([]*Case, error) {
	var cases []*Case
	var errs []error
	seen := map[string]bool{}
	for _, dir := range dirs {
		found, err := caseFolders(dir)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range found {
			path, err := filepath.Abs(name)
			if err == nil && seen[path] {
				continue
			}
			seen[path] = true
			c, err := read(name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			cases = append(cases, c)
		}
	}
	return cases, errors.Join(errs...)
}

// caseFolders are the folders below dir that are cases. Hidden ones are passed
// over, and cases inside a case.
func caseFolders(dir string) ([]string, error) {
	var found []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		folder := filepath.Join(dir, name)
		if _, err := os.Stat(filepath.Join(folder, CaseFile)); err != nil {
			return nil
		}
		found = append(found, folder)
		return fs.SkipDir
	})
	if err != nil {
		return nil, fmt.Errorf("looking for cases in %s: %w", dir, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no case: no folder in it has a %s", dir, CaseFile)
	}
	return found, nil
}

// read reads the case in a folder.
func read(folder string) (*Case, error) {
	c := &Case{Name: folder}
	file := filepath.Join(folder, CaseFile)
	var err error
	if c.text, err = os.ReadFile(file); err != nil {
		return nil, err
	}
	var t Settings
	meta, err := toml.Decode(string(c.text), &t)
	if p := (toml.ParseError{}); errors.As(err, &p) {
		return nil, fmt.Errorf("%s:%d: %s", file, p.Position.Line, p.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, key := range meta.Undecoded() {
		return nil, fmt.Errorf("%s: unknown key", c.At(key.String()))
	}
	if key, err := c.fill(t); err != nil {
		return nil, fmt.Errorf("%s: %w", c.At(key), err)
	}
	return c, nil
}

// fill takes over what t says. It returns the key at fault with the error.
func (c *Case) fill(t Settings) (string, error) {
	birds, isList, err := texts(t.Bird)
	if err != nil {
		return "bird", err
	}
	nodes := t.Nodes
	switch {
	case t.Node != "" && t.Nodes != nil:
		return "nodes", errors.New("node is given, too: leave out one of them")
	case t.Node == "" && len(t.Nodes) == 0:
		return "node", errors.New(`needed: the name of the node, or nodes = ["...", "..."]`)
	case t.Node != "":
		nodes = []string{t.Node}
	case t.K8sNodeRef != "":
		return "k8s-node-ref", errors.New("goes with one node: use node instead of nodes")
	case t.RouterID != "" && t.RouterID != "hash":
		return "router-id", errors.New("goes with one node: use node instead of nodes, or hash")
	}
	if err := c.addTargets(nodes, birds, t.Nodes != nil, isList); err != nil {
		return "", err
	}
	if slices.Contains(t.Warnings, "") {
		return "warnings", errors.New("an empty text is in the list: give a warning's code, or a part of its text")
	}
	c.Env, c.Warnings = t.Env, t.Warnings
	c.Settings = map[string]string{
		"router-id": t.RouterID, "k8s-node-ref": t.K8sNodeRef, "bgp-log-severity": t.LogSeverity,
		"advertise-cluster-ips": strings.Join(t.ClusterIPs, ","), "namespace": t.Namespace, "prefix": t.Prefix,
		"require-passwords": strconv.FormatBool(t.Passwords),
	}
	return c.fillPaths(t)
}

// folderName is what a node's or version's name must be to be a folder's.
var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

func (c *Case) addTargets(nodes, birds []string, nodeFolders, birdFolders bool) error {
	for _, node := range nodes {
		for _, bird := range birds {
			t := Target{Case: c, Node: node, Bird: bird, first: len(c.Targets) == 0}
			var below string
			if nodeFolders {
				below = path.Join(below, node)
			}
			if birdFolders {
				below = path.Join(below, bird)
			}
			for _, name := range []string{node, bird} {
				if !folderName.MatchString(name) {
					return fmt.Errorf("%q is not a name of letters, digits, '.', '-' and '_'", name)
				}
			}
			t.ID, t.wantDir = path.Join(filepath.ToSlash(c.Name), below), path.Join(wantFolder, below)
			if slices.ContainsFunc(c.Targets, func(o Target) bool { return o.ID == t.ID }) {
				return fmt.Errorf("%s is there twice", below)
			}
			c.Targets = append(c.Targets, t)
		}
	}
	return nil
}

// fillPaths looks for the folders and files that the case refers to.
func (c *Case) fillPaths(t Settings) (string, error) {
	var err error
	if c.ConfDir, err = c.folder(t.ConfDir, "conf.d"); err != nil {
		return "confdir", err
	}
	if c.EndpointStatus, err = c.folder(t.EndpointStatus, ""); err != nil {
		return "endpoint-status", err
	}
	for _, p := range t.Data {
		p = c.path(p)
		if _, err := os.Stat(p); err != nil {
			return "data", err
		}
		c.Data = append(c.Data, p)
	}
	if t.Data == nil {
		c.Data, err = c.ownData()
	}
	if err == nil && len(c.Data) == 0 {
		err = fmt.Errorf("the case has no resources: put YAML files beside %s or into %s/, or name them with data = [...]", CaseFile, DataFolder)
	}
	return "data", err
}

// ownData is the folder data and the files with resources beside case.toml.
func (c *Case) ownData() ([]string, error) {
	entries, err := os.ReadDir(c.Name)
	if err != nil {
		return nil, err
	}
	var data []string
	for _, e := range entries {
		isData := slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) && !strings.HasPrefix(e.Name(), ".")
		if e.IsDir() && e.Name() == DataFolder || !e.IsDir() && isData {
			data = append(data, filepath.Join(c.Name, e.Name()))
		}
	}
	return data, nil
}

// folder is the path of a folder that the case names, which must have has in
// it; empty where it names none.
func (c *Case) folder(name, has string) (string, error) {
	if name == "" {
		return "", nil
	}
	dir := c.path(name)
	info, err := os.Stat(filepath.Join(dir, has))
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", filepath.Join(dir, has))
	}
	return dir, nil
}

// path is where a path that stands in the case leads to.
func (c *Case) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(c.Name, p)
}

// At says where a key stands in the case's settings, as error messages start:
// "FILE:LINE: KEY", or "FILE: KEY" where it does not stand there. The list nodes
// counts as node.
func (c *Case) At(key string) string {
	file := filepath.Join(c.Name, CaseFile)
	if key == "" {
		return file
	}
	n := 0
	for line := range strings.Lines(string(c.text)) {
		n++
		name, _, found := strings.Cut(line, "=")
		name = strings.Trim(strings.TrimSpace(name), `"'`)
		if found && (name == key || name == key+"s") {
			return fmt.Sprintf("%s:%d: %s", file, n, name)
		}
	}
	return file + ": " + key
}

// texts reads a text or a list of some, and says whether it was a list.
func texts(v any) (list []string, isList bool, err error) {
	expected := errors.New(`needed: a version of BIRD in quotes, such as "2" or "2.17.6", or a list of some`)
	if s, ok := v.(string); ok && s != "" {
		return []string{s}, false, nil
	}
	items, ok := v.([]any)
	if !ok || len(items) == 0 {
		return nil, false, expected
	}
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, false, expected
		}
		list = append(list, s)
	}
	return list, true, nil
}

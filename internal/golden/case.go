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

	"confd/backends"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/internal/strict"
	"confd/templates"
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

	plan     plan.Settings // but for the node's name
	statuses string        // folder of the endpoint status files; empty: none
	data     []string      // paths of the files and folders with resources
	env      map[string]string
	// warnings are those that are expected: codes, or parts of their texts. Any
	// other one fails.
	warnings []string
	// nodes are names and patterns; birds are versions of BIRD. Where they are
	// lists, they are folders of the wanted files.
	nodes                    []string
	birds                    []bird
	nodeFolders, birdFolders bool

	text []byte // of case.toml
}

// bird is a version of BIRD, and how it is written in case.toml.
type bird struct {
	text    string
	version templates.Version
}

// Settings are what a case.toml says. Those that other commands have too have
// the same names as there. Paths are relative to the case's folder.
type Settings struct {
	// Node or Nodes: whose files are wanted. Nodes is a pattern, or a list of
	// names and patterns.
	Node  string `toml:"node,omitempty"`
	Nodes any    `toml:"nodes,omitempty"`
	// Bird is a version of BIRD, or a list of some.
	Bird any `toml:"bird,omitempty"`

	RouterID    string   `toml:"router-id,omitempty"`
	K8sNodeRef  string   `toml:"k8s-node-ref,omitempty"`
	ClusterIPs  []string `toml:"advertise-cluster-ips,omitempty"`
	LogSeverity string   `toml:"bgp-log-severity,omitempty"`
	Namespace   string   `toml:"namespace,omitempty"`
	Prefix      string   `toml:"prefix,omitempty"`
	Passwords   bool     `toml:"require-passwords,omitempty"`
	Filters     string   `toml:"missing-filters,omitempty"`
	PodCIDRs    bool     `toml:"use-pod-cidr,omitempty"`
	RestartWait string   `toml:"graceful-restart-wait,omitempty"`
	Migration   bool     `toml:"live-migration,omitempty"`

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
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("looking for cases: %w", err)
	}
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
	meta, err := strict.Decode(string(c.text), &t, "env")
	if p := (toml.ParseError{}); errors.As(err, &p) {
		return nil, fmt.Errorf("%s:%d: %s", file, p.Position.Line, p.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, key := range meta.Undecoded() {
		return nil, fmt.Errorf("%s: unknown key%s", c.at(key.String()), backends.Guess(key.String(), strict.Keys(t)))
	}
	if key, err := c.fill(t); err != nil {
		if key == "" {
			return nil, err
		}
		return nil, fmt.Errorf("%s: %w", c.at(key), err)
	}
	return c, nil
}

// fill takes over what t says. It returns the key at fault with the error.
func (c *Case) fill(t Settings) (string, error) {
	if key, err := c.fillNodes(t); err != nil {
		return key, err
	}
	if err := c.fillSettings(t); err != nil {
		return "", err // it says itself where it stands
	}
	if slices.Contains(t.Warnings, "") {
		return "warnings", errors.New("an empty text is in the list: give a warning's code, or a part of its text")
	}
	c.env, c.warnings = t.Env, t.Warnings
	return c.fillPaths(t)
}

// fillNodes takes over whose files are wanted.
func (c *Case) fillNodes(t Settings) (string, error) {
	switch {
	case t.Node != "" && t.Nodes != nil:
		return "nodes", errors.New("node is given, too: leave out one of them")
	case isPattern(t.Node):
		return "node", fmt.Errorf("%q is a pattern, and node is for one name: nodes = %[1]q takes all that it matches", t.Node)
	case t.Node != "":
		c.nodes = []string{t.Node}
		return "node", checkName(t.Node)
	}
	nodes, _, err := texts(t.Nodes)
	switch {
	case err != nil:
		return "node", errors.New(`needed: the name of the node, or nodes = ["...", "..."], or nodes = "*" for all`)
	case t.K8sNodeRef != "":
		return "k8s-node-ref", errors.New("goes with one node: use node instead of nodes")
	case t.RouterID != "" && t.RouterID != "hash":
		return "router-id", errors.New("goes with one node: use node instead of nodes, or hash")
	}
	for i, n := range nodes {
		_, err := path.Match(n, "")
		switch {
		case err != nil:
			return "nodes", fmt.Errorf("%q: %w", n, err)
		case slices.Contains(nodes[:i], n):
			return "nodes", fmt.Errorf("%s is there twice", n)
		case !isPattern(n):
			err = checkName(n)
		}
		if err != nil {
			return "nodes", err
		}
	}
	c.nodes, c.nodeFolders = nodes, true
	return "", nil
}

// isPattern says whether the name of a node stands for those that it matches.
func isPattern(name string) bool { return strings.ContainsAny(name, `*?[\`) }

// folderName is what a node's or version's name must be to be a folder's, in no more
// than longestFolder bytes.
var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

const longestFolder = 253

func checkName(name string) error {
	if len(name) > longestFolder || !folderName.MatchString(name) {
		return fmt.Errorf("%q is not a name of letters, digits, '.', '-' and '_'", name)
	}
	return nil
}

// fillSettings reads the settings that other commands have too, and the versions
// of BIRD. Nothing comes from the environment.
func (c *Case) fillSettings(t Settings) error {
	values := settings.Layer{}
	for name, text := range map[string]string{
		"router-id": t.RouterID, "k8s-node-ref": t.K8sNodeRef, "bgp-log-severity": t.LogSeverity,
		"advertise-cluster-ips": strings.Join(t.ClusterIPs, ","), "namespace": t.Namespace, "prefix": t.Prefix,
		"require-passwords": strconv.FormatBool(t.Passwords), "missing-filters": t.Filters,
		"use-pod-cidr": strconv.FormatBool(t.PodCIDRs), "graceful-restart-wait": t.RestartWait,
		"live-migration": strconv.FormatBool(t.Migration),
	} {
		if text != "" {
			values[name] = settings.Given{Text: text, From: c.at(name)}
		}
	}
	values["node"] = settings.Given{Text: "node", From: c.at("node")} // the right one comes later
	birds, isList, err := texts(t.Bird)
	if err != nil {
		return fmt.Errorf("%s: %w", c.at("bird"), err)
	}
	for _, text := range birds {
		values["bird"] = settings.Given{Text: text, From: c.at("bird")}
		s, err := settings.Alone(values)
		if err != nil {
			return err
		}
		v, err := templates.ParseVersion(text)
		if err == nil && slices.ContainsFunc(c.birds, func(o bird) bool { return o.text == text }) {
			err = fmt.Errorf("%s is there twice", text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.at("bird"), err)
		}
		c.birds, c.plan = append(c.birds, bird{text, v}), s.Plan()
	}
	c.birdFolders = isList
	if t.K8sNodeRef == "" {
		c.plan.BGP.K8sNode = ""
	}
	return nil
}

// fillPaths looks for the folders and files that the case refers to.
func (c *Case) fillPaths(t Settings) (string, error) {
	var err error
	if c.plan.ConfDir, err = c.folder(t.ConfDir, "conf.d"); err != nil {
		return "confdir", err
	}
	if c.statuses, err = c.folder(t.EndpointStatus, ""); err != nil {
		return "endpoint-status", err
	}
	for _, p := range t.Data {
		p = c.path(p)
		if _, err := os.Stat(p); err != nil {
			return "data", err
		}
		c.data = append(c.data, p)
	}
	if t.Data == nil {
		c.data, err = c.ownData()
	}
	if err == nil && len(c.data) == 0 {
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

// at says where a key stands in the case's settings, as error messages start:
// "FILE:LINE: KEY", or "FILE: KEY" where it does not stand there. The list nodes
// counts as node.
func (c *Case) at(key string) string {
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

package templates

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"confd/backends"
	"confd/internal/strict"
)

// defaultMode is for files that may hold passwords: not for everybody's eyes.
const defaultMode fs.FileMode = 0o640

// Resource is one template resource: which template makes which file, and what
// to do with it. It is the [template] table of a file in conf.d.
type Resource struct {
	File   string   // the TOML file, below the configuration folder
	Src    string   // the template, below the folder templates
	Dest   string   // the file to write
	Prefix string   // what all keys start with; not part of them in templates
	Keys   []string // visible subtrees of the key tree, prefix included
	Mode   fs.FileMode
	UID    int // owner; -1: whoever writes the file
	GID    int // group; -1: whoever writes the file
	// CheckCmd and ReloadCmd are shell commands; {{.src}} in CheckCmd is the
	// staged file, and {{.dest}} in both, and {{.src}} in ReloadCmd, the file in its
	// place. They are empty where Daemon does both.
	CheckCmd  string
	ReloadCmd string
	// Daemon is "bird" or "bird6" where BIRD checks and reloads over its control
	// socket, else empty.
	Daemon string
	// Family is 4 or 6 where the template is for one address family, else 0.
	Family int
	// Bird lists the major versions of BIRD that the resource is for; none: all.
	Bird []int
}

// isFor says whether the resource is for v.
func (r Resource) isFor(v Version) bool {
	return len(r.Bird) == 0 || slices.Contains(r.Bird, v.Major)
}

// tomlResource is how a resource is written.
type tomlResource struct {
	Template struct {
		Src       string   `toml:"src"`
		Dest      string   `toml:"dest"`
		Prefix    string   `toml:"prefix"`
		Keys      []string `toml:"keys"`
		Mode      any      `toml:"mode"`
		UID       any      `toml:"uid"`
		GID       any      `toml:"gid"`
		CheckCmd  string   `toml:"check_cmd"`
		ReloadCmd string   `toml:"reload_cmd"`
		Daemon    string   `toml:"daemon"`
		Family    int      `toml:"family"`
		Bird      []int    `toml:"bird"`
	} `toml:"template"`
}

// parseResource reads the resource in data. The warnings name keys that mean
// nothing here, which Calico's own program passes over in silence.
func parseResource(file string, data []byte, opts Options) (*Resource, []string, error) {
	var t tomlResource
	meta, err := strict.Decode(string(data), &t)
	if err != nil {
		return nil, nil, tomlError(file, err)
	}
	r := &Resource{
		File: file, Src: t.Template.Src, Dest: t.Template.Dest,
		CheckCmd: t.Template.CheckCmd, ReloadCmd: t.Template.ReloadCmd,
		Daemon: t.Template.Daemon, Family: t.Template.Family, Bird: t.Template.Bird,
	}
	r.Prefix = cleanPrefix(withNode(t.Template.Prefix, opts.Node))
	if common := cleanPrefix(opts.Prefix); r.Prefix == "" && !wholeKeys(common, t.Template.Keys) {
		r.Prefix = common
	}
	r.Keys = fullKeys(r.Prefix, t.Template.Keys, opts.Node)
	if key, err := r.fill(t); err != nil {
		return nil, nil, fmt.Errorf("%s: %s: %w", at(file, data, key), key, err)
	}
	var warnings []string
	for _, k := range meta.Undecoded() {
		warnings = append(warnings, fmt.Sprintf("%s: key %s means nothing here and is passed over%s",
			at(file, data, k[len(k)-1]), k, backends.Guess(k[len(k)-1], strict.Keys(t.Template))))
	}
	return r, warnings, nil
}

// fill checks the resource and sets what needs conversion. It returns the key
// at fault with the error.
func (r *Resource) fill(t tomlResource) (string, error) {
	var err error
	if !fs.ValidPath(r.Src) || r.Src == "." {
		return "src", errors.New("needed: the template's path below the folder templates")
	}
	if r.Dest == "" {
		return "dest", errors.New("needed: the file to write")
	}
	if r.Mode, err = parseMode(t.Template.Mode); err != nil {
		return "mode", err
	}
	if r.UID, err = parseID(t.Template.UID, userID); err != nil {
		return "uid", err
	}
	if r.GID, err = parseID(t.Template.GID, groupID); err != nil {
		return "gid", err
	}
	if !slices.Contains([]string{"", "bird", "bird6"}, r.Daemon) {
		return "daemon", fmt.Errorf("%q is neither bird nor bird6", r.Daemon)
	}
	if !slices.Contains([]int{0, 4, 6}, r.Family) {
		return "family", fmt.Errorf("%d is neither 4 nor 6", r.Family)
	}
	return "", nil
}

// cleanPrefix is p as "/a/b", or "" for none.
func cleanPrefix(p string) string {
	if p = path.Join("/", p); p != "/" {
		return p
	}
	return ""
}

// wholeKeys says whether the keys start with the prefix themselves: then
// templates name them in full, too.
func wholeKeys(prefix string, keys []string) bool {
	return prefix != "" && slices.ContainsFunc(keys, func(k string) bool { return within(prefix, path.Join("/", k)) })
}

// withNode puts the node's name in the place of //NODENAME.
func withNode(key, node string) string { return strings.ReplaceAll(key, "//NODENAME", "/"+node) }

// fullKeys puts the prefix before keys and node's name in the place of
// //NODENAME. Keys inside another key's subtree are left out.
func fullKeys(prefix string, keys []string, node string) []string {
	var all, kept []string
	for _, k := range keys {
		all = append(all, path.Join("/", prefix, withNode(k, node)))
	}
	slices.Sort(all) // a folder comes before what is in it
	for _, k := range all {
		if !slices.ContainsFunc(kept, func(dir string) bool { return within(dir, k) }) {
			kept = append(kept, k)
		}
	}
	return kept
}

// within says whether key is dir, or below it.
func within(dir, key string) bool {
	return key == dir || strings.HasPrefix(key, strings.TrimSuffix(dir, "/")+"/")
}

// parseMode reads "0644", or a number.
func parseMode(v any) (fs.FileMode, error) {
	switch v := v.(type) {
	case nil:
		return defaultMode, nil
	case int64:
		if v >= 0 && v <= 0o777 {
			return fs.FileMode(v), nil
		}
		// 644 is 0o1204, which nobody means.
		return 0, fmt.Errorf("%d is no file mode: put it in quotes, such as \"0640\"", v)
	case string:
		n, err := strconv.ParseUint(strings.TrimPrefix(v, "0o"), 8, 32)
		if v == "" {
			return defaultMode, nil
		}
		if err == nil && n <= 0o7777 {
			return fs.FileMode(n), nil
		}
	}
	return 0, fmt.Errorf("%v is no file mode such as \"0640\"", v)
}

// parseID reads a user or group: a number, a number as text, or a name that
// lookup knows. Nothing is -1.
func parseID(v any, lookup func(string) (string, error)) (int, error) {
	switch v := v.(type) {
	case nil:
		return -1, nil
	case int64:
		if v >= -1 && v <= 1<<31-1 {
			return int(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 32); err == nil {
			return parseID(n, lookup)
		}
		id, err := lookup(v)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(id)
	}
	return 0, fmt.Errorf("%v is neither a number nor a name", v)
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// tomlError puts err as "FILE:LINE: what".
func tomlError(file string, err error) error {
	var p toml.ParseError
	if !errors.As(err, &p) {
		return fmt.Errorf("%s: %w", file, err)
	}
	if p.LastKey != "" {
		return fmt.Errorf("%s:%d: after key %s: %s", file, p.Position.Line, p.LastKey, p.Message)
	}
	return fmt.Errorf("%s:%d: %s", file, p.Position.Line, p.Message)
}

// at is "FILE:LINE" of the line that sets key, or FILE where none does.
func at(file string, data []byte, key string) string {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		name, _, found := strings.Cut(line, "=")
		if found && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return fmt.Sprintf("%s:%d", file, n)
		}
	}
	return file
}

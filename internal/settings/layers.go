package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"confd/backends"
	"confd/internal/strict"
)

// Given is the text of a setting and where it stands, as in error messages.
type Given struct{ Text, From string }

// Layer is what one source says: texts by setting name.
type Layer map[string]Given

const fromDefault = "default"

// Merged returns all that the layers say; later layers win.
func Merged(layers ...Layer) Layer {
	all := Layer{}
	for _, l := range layers {
		maps.Copy(all, l)
	}
	return all
}

func defaultLayer(table []Setting) Layer {
	l := Layer{}
	for _, s := range table {
		if s.Default != "" {
			l[s.Name] = Given{s.Default, fromDefault}
		}
	}
	return l
}

// envLayer reads the environment. An empty variable counts as unset: manifests
// leave them so.
func envLayer(table []Setting, lookup func(string) (string, bool)) Layer {
	l := Layer{}
	for _, s := range table {
		for _, name := range s.Envs() {
			if text, ok := lookup(name); ok && text != "" && (len(s.OtherEnvs) == 0 || !isNone(text)) {
				l[s.Name] = Given{text, "variable " + name}
				break
			}
		}
	}
	return l
}

// tomlLayer reads the configuration file, which may be missing where nobody
// asked for it.
func tomlLayer(table []Setting, file Given) (Layer, error) {
	data, err := os.ReadFile(file.Text)
	if errors.Is(err, fs.ErrNotExist) && file.From == fromDefault {
		return Layer{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: configuration file: %w", file.From, err)
	}
	var tree map[string]any
	meta, err := strict.Decode(string(data), &tree)
	if err != nil {
		return nil, tomlError(file.Text, data, err)
	}
	l := Layer{}
	for _, key := range meta.Keys() {
		name := key[0] // no key of ours has parts
		from := fmt.Sprintf("%s:%d: %s", file.Text, lineOf(data, name), name)
		text, err := tomlText(table, name, tree[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		l[name] = Given{text, from}
	}
	return l, nil
}

// tomlText is the text of one key's value, where there is such a key.
func tomlText(table []Setting, key string, v any) (string, error) {
	i := slices.IndexFunc(table, func(s Setting) bool { return s.Name == key && !s.FlagOnly })
	if i < 0 {
		return "", errors.New("unknown key" + backends.Guess(key, tomlKeys(table)))
	}
	text, ok := textOf(v, table[i].Kind())
	if !ok {
		return "", fmt.Errorf("expected %s", table[i].bind(&Settings{}).expects)
	}
	if _, isInt := v.(int64); isInt && table[i].Kind() == KindMode {
		return "", errors.New(`expected octal digits in quotes, such as "0640": a number in TOML is decimal`)
	}
	return text, nil
}

// tomlKeys are the keys that a file can have.
func tomlKeys(table []Setting) []string {
	var keys []string
	for _, s := range table {
		if !s.FlagOnly {
			keys = append(keys, s.Name)
		}
	}
	return keys
}

// tomlError says where the file is wrong. The parser's own words may quote the
// file, so they are left out where it holds a password.
func tomlError(path string, data []byte, err error) error {
	from := path
	if p := (toml.ParseError{}); errors.As(err, &p) {
		from = fmt.Sprintf("%s:%d", path, p.Position.Line)
	}
	if bytes.Contains(data, []byte("password")) {
		return fmt.Errorf("%s: not valid TOML", from)
	}
	return fmt.Errorf("%s: not valid TOML: %s", from, oneLine(strings.TrimPrefix(err.Error(), "toml: ")))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// lineOf finds the line that sets a top-level key, or opens the table of that
// name; 0 if it stands there in an unusual way.
func lineOf(data []byte, key string) int {
	pattern := regexp.MustCompile(`^\s*(\[\[?\s*)?["']?` + regexp.QuoteMeta(key) + `["']?\s*[].=]`)
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if pattern.MatchString(line) {
			return n
		}
	}
	return 0
}

// textOf turns a value of a TOML or YAML file into the text that a flag of that
// kind would have. Tables and dates have none.
func textOf(v any, k Kind) (string, bool) {
	switch v := v.(type) {
	case string, bool, int64:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case []any:
		items := make([]string, len(v))
		for i := range v {
			item, ok := v[i].(string)
			if !ok {
				return "", false
			}
			items[i] = item
		}
		return strings.Join(items, k.Separator()), true
	}
	return "", false
}

// Surroundings are what settings come from besides the command line and files.
type Surroundings struct {
	LookupEnv func(name string) (string, bool)
	Hostname  func() (string, error)
}

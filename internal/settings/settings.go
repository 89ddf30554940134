// Package settings reads the program's settings: from flags, the environment and
// files, into one value that is passed on.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"confd/backends"
	"confd/internal/birds"
	"confd/internal/strict"
)

// Surroundings are what settings come from besides the command line and files.
type Surroundings struct {
	LookupEnv func(name string) (string, bool)
	Hostname  func() (string, error)
}

// Given is the text of a setting and where it stands, as in error messages.
type Given struct{ Text, From string }

// Layer is what one source says: texts by setting name.
type Layer map[string]Given

const fromDefault = "default"

// Error is an error of whoever called the program: a flag, a variable or a file
// of settings is wrong. Trying again cannot help.
type Error struct{ Err error }

func (e Error) Error() string { return e.Err.Error() }

// Unwrap gives what is wrong.
func (e Error) Unwrap() error { return e.Err }

// Load combines all sources. From weakest to strongest: defaults, the TOML file,
// the environment, the CalicoAPIConfig file, flags. Its errors are Errors, and
// say which source is wrong.
func Load(flags Layer, around Surroundings) (Settings, error) {
	table := Table()
	env := envLayer(table, around.LookupEnv)
	values := Merged(defaultLayer(table), env, flags)
	file, err := tomlLayer(table, values["config-file"])
	if err != nil {
		return Settings{}, Error{err}
	}
	values = Merged(defaultLayer(table), file, env, flags)
	calico, err := calicoLayer(table, values["calicoconfig"].Text)
	if err != nil {
		return Settings{}, Error{err}
	}
	values = Merged(values, calico, flags)
	s, err := parse(table, values)
	if err == nil {
		err = s.complete(values, around)
	}
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

// LoadForAnswer is Load for commands that print what they were asked for: that a store
// was read is no part of that, so they log warnings alone where no level is set.
func LoadForAnswer(flags Layer, around Surroundings) (Settings, error) {
	s, err := Load(flags, around)
	if !s.Log.Given {
		s.Log.Level = slog.LevelWarn
	}
	return s, err
}

// Only reads the settings of the given names, from the defaults, the environment
// and flags; all others are empty. Its errors are Errors.
func Only(names []string, flags Layer, around Surroundings) (Settings, error) {
	table := slices.DeleteFunc(Table(), func(s Setting) bool { return !slices.Contains(names, s.Name) })
	s, err := parse(table, Merged(defaultLayer(table), envLayer(table, around.LookupEnv), flags))
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

// Alone reads settings from values and the defaults alone. values must name the
// node; where the cluster's state comes from is not looked at. Its errors are
// Errors.
func Alone(values Layer) (Settings, error) {
	table := Table()
	values = Merged(defaultLayer(table), values)
	s, err := parse(table, values)
	if err == nil {
		err = s.completeNode(values, Surroundings{}) // there is a node, so nobody is asked
	}
	if err != nil {
		return Settings{}, Error{err}
	}
	return s, nil
}

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

// isNone is how Calico's manifests say that a variable is not set.
func isNone(text string) bool { return strings.EqualFold(strings.TrimSpace(text), "none") }

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
		return "", errors.New("unknown key")
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

func parse(table []Setting, values Layer) (Settings, error) {
	s := Settings{Templates: Templates{Owner: -1, Group: -1}}
	for _, row := range table {
		g, ok := values[row.Name]
		if !ok {
			continue
		}
		v := row.bind(&s)
		if v.set(g.Text) {
			continue
		}
		return Settings{}, fmt.Errorf("%s: %q: expected %s%s", g.From, g.Text, v.expects, backends.DidYouMean(backends.Nearest(g.Text, v.words)))
	}
	return s, nil
}

// complete fills in what depends on other settings, and refuses settings that
// cannot work together.
func (s *Settings) complete(values Layer, around Surroundings) error {
	if err := s.completeNode(values, around); err != nil {
		return err
	}
	if err := s.checkCalicoSockets(values); err != nil {
		return err
	}
	if s.Watch.Topology && s.Watch.Listen == "" {
		return fmt.Errorf("%s needs --listen (CONFD_LISTEN): where to show it", values["topology"].From)
	}
	if err := s.Watch.check(values); err != nil {
		return err
	}
	host, _ := around.LookupEnv("KUBERNETES_SERVICE_HOST")
	s.Kubernetes.InCluster = host != ""
	if s.Datastore == "" {
		s.Datastore = DatastoreEtcd
		switch {
		case len(s.Data) > 0:
			s.Datastore = DatastoreFile
		case s.Kubernetes.Context != "":
			s.Datastore = DatastoreKubernetes
		}
	}
	if err := s.Kubernetes.complete(s.Datastore, values, around); err != nil {
		return err
	}
	switch {
	case s.Datastore == DatastoreFile && len(s.Data) == 0:
		return fmt.Errorf("%s: datastore file needs --data", values["datastore"].From)
	case s.Datastore != DatastoreFile && len(s.Data) > 0:
		return fmt.Errorf("%s names files, but %s says %s: give --datastore file as well, or leave out one of them",
			values["data"].From, values["datastore"].From, s.Datastore)
	case s.Datastore == DatastoreFile:
		return nil
	}
	if s.Datastore == DatastoreEtcd && (s.Etcd.InUse() || !s.Typha.InUse()) {
		return s.Etcd.check(values)
	}
	return nil
}

func (s *Settings) completeNode(values Layer, around Surroundings) error {
	if s.Node == "" {
		host, err := around.Hostname()
		if err != nil {
			return fmt.Errorf("give the node's name with --node or NODENAME: the host's name cannot be read: %w", err)
		}
		s.Node = strings.ToLower(strings.TrimSpace(host))
		values["node"] = Given{s.Node, "host name"}
	}
	if s.NodeRef == "" {
		s.NodeRef = s.Node
	}
	const expects = "expected a node's name: letters, digits, '.', '-' and '_', 253 at most"
	if !isNodeName(s.Node) {
		return fmt.Errorf("%s: %q: %s", values["node"].From, s.Node, expects)
	}
	if !isNodeName(s.NodeRef) {
		return fmt.Errorf("%s: %q: %s", values["k8s-node-ref"].From, s.NodeRef, expects)
	}
	return nil
}

// complete finds the kubeconfig of the user, as kubectl does: where the datastore is
// Kubernetes, nothing else says how to reach it, and this is no pod.
func (k *Kubernetes) complete(store Datastore, values Layer, around Surroundings) error {
	if store == DatastoreKubernetes && k.Kubeconfig == "" && k.APIEndpoint == "" && !k.InCluster {
		home, _ := around.LookupEnv("HOME")
		path := filepath.Join(home, ".kube", "config")
		if _, err := os.Stat(path); home != "" && err == nil {
			k.Kubeconfig, k.FromHome = path, true
		}
	}
	if k.Context != "" && k.Kubeconfig == "" && store == DatastoreKubernetes {
		return fmt.Errorf("%s names a context, but there is no kubeconfig: give --kubeconfig (KUBECONFIG)", values["context"].From)
	}
	return nil
}

// InUse says whether there is an etcd to ask.
func (e Etcd) InUse() bool { return len(e.Endpoints) > 0 || e.DiscoverySRV != "" }

// check refuses certificates that nobody could be served with.
func (w Watch) check(values Layer) error {
	c := w.Certificates
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("--listen-cert-file and --listen-key-file need each other: set both or none")
	case c.Cert != "" && strings.HasPrefix(w.Listen, "unix:"):
		return fmt.Errorf("%s names a socket, for which there is no TLS: leave out --listen-cert-file, or give it HOST:PORT", values["listen"].From)
	case c.CA != "" && c.Cert == "" && w.Listen != "":
		return fmt.Errorf("%s: client certificates take TLS: set --listen-cert-file and --listen-key-file, too", values["listen-ca-file"].From)
	}
	return nil
}

// checkCalicoSockets refuses sockets for Calico's tools in the place of BIRD's own,
// which is looked for in that very place where nothing says where it is.
func (s *Settings) checkCalicoSockets(values Layer) error {
	folder, from := s.Watch.CalicoSockets, values["calico-sockets"].From
	switch {
	case folder == "":
		return nil
	case strings.HasPrefix(s.BIRD.Version, "1"):
		return fmt.Errorf("%s is for BIRD 2 and 3: Calico's tools read the sockets of BIRD 1.6 themselves", from)
	case s.BIRD.Socket == "":
		return fmt.Errorf("%s needs --socket (CONFD_SOCKET): where BIRD's own control socket is", from)
	case slices.Contains([]string{"bird.ctl", "bird6.ctl"}, filepath.Base(s.BIRD.Socket)) && sameFolder(filepath.Dir(s.BIRD.Socket), folder):
		return fmt.Errorf("%s and %s: one of the sockets for Calico's tools would be in the place of BIRD's: have BIRD make its own elsewhere, such as %s",
			from, values["socket"].From, birds.DebianSocket)
	}
	return nil
}

// sameFolder says whether two paths lead to one folder: /var/run is a link to /run
// nearly everywhere.
func sameFolder(a, b string) bool {
	one, errOne := os.Stat(a)
	other, errOther := os.Stat(b)
	if errOne == nil && errOther == nil {
		return os.SameFile(one, other)
	}
	a, errOne = filepath.Abs(a)
	b, errOther = filepath.Abs(b)
	return errOne == nil && errOther == nil && a == b
}

func (e Etcd) check(values Layer) error {
	for _, endpoint := range e.Endpoints {
		if strings.Contains(endpoint, "@") {
			return fmt.Errorf("%s: an address with user and password in it: use ETCD_USERNAME and ETCD_PASSWORD instead", values["etcd-endpoints"].From)
		}
	}
	switch {
	case len(e.Endpoints) == 0 && e.DiscoverySRV == "":
		return errors.New("datastore etcdv3 needs --etcd-endpoints (ETCD_ENDPOINTS) or --etcd-discovery-srv (ETCD_DISCOVERY_SRV); for another one give --datastore kubernetes, or --data")
	case len(e.Endpoints) > 0 && e.DiscoverySRV != "":
		return fmt.Errorf("%s and %s are both given: leave out one of them",
			values["etcd-endpoints"].From, values["etcd-discovery-srv"].From)
	case e.CertFile != "" && e.KeyFile == "":
		return fmt.Errorf("%s is given without a key: set --etcd-key-file (ETCD_KEY_FILE) too", values["etcd-cert-file"].From)
	case e.KeyFile != "" && e.CertFile == "":
		return fmt.Errorf("%s is given without a certificate: set --etcd-cert-file (ETCD_CERT_FILE) too", values["etcd-key-file"].From)
	case e.Password != "" && e.Username == "":
		return fmt.Errorf("%s is given without a user: set --etcd-username (ETCD_USERNAME) too", values["etcd-password"].From)
	}
	return nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"confd/internal/birds"
)

// Settings are all settings of a run, read and checked. The table of settings
// says what each one means, and where it comes from.
type Settings struct {
	// Node is this node's name in the datastore; NodeRef its name in Kubernetes.
	Node    string
	NodeRef string

	Datastore    Datastore
	Data         []string // paths of YAML files and folders, for DatastoreFile
	CalicoConfig string   // path of a CalicoAPIConfig file, already read
	ConfigFile   string   // path of the TOML file, already read where it exists
	Etcd         EtcdSettings
	Kubernetes   KubernetesSettings
	BGP          BGPSettings
	BIRD         birds.Settings
	Templates    TemplateSettings
	Timing       TimingSettings
	Safety       SafetySettings
	Watch        WatchSettings
	Log          LogSettings

	Exec    []string // commands that run BIRD; empty: somebody else does
	OneTime bool     // render and apply once, then exit
	Noop    bool     // change nothing, say what would change
	Output  string   // render: folder for the rendered files; empty: standard output
	Strict  bool     // render: fail where something was left out
}

// Datastore is the kind of store that the cluster's state comes from.
type Datastore string

// The datastores.
const (
	DatastoreEtcd       Datastore = "etcdv3"
	DatastoreKubernetes Datastore = "kubernetes"
	DatastoreFile       Datastore = "file"
)

// EtcdSettings say how to reach etcd. Exactly one of Endpoints and DiscoverySRV
// is set where the datastore is etcd.
type EtcdSettings struct {
	Endpoints    []string
	DiscoverySRV string // a domain
	Username     string
	Password     Password
	KeyFile      string
	CertFile     string
	CAFile       string
}

// KubernetesSettings say how to reach the API server, and what to read there.
type KubernetesSettings struct {
	Kubeconfig  string
	APIEndpoint string
	KeyFile     string
	CertFile    string
	CAFile      string
	QPS         float32 // requests per second; 0: the client's own limit
	Burst       int     // 0: the client's own limit
	UsePodCIDR  bool
	APIGroup    string // empty: ask the server
	Namespace   string // of the Secrets that hold passwords
	InCluster   bool   // the program runs in a pod, which Kubernetes tells of its API server
}

// BGPSettings change what the node speaks.
type BGPSettings struct {
	RouterID    string // empty, "hash" or an IPv4 address
	ClusterIPs  []netip.Prefix
	LogSeverity string // empty: as the datastore says
	// RequirePasswords leaves sessions out whose password is not there.
	RequirePasswords bool
	// EndpointStatusPrefix is the folder that holds endpoint-status/.
	EndpointStatusPrefix string
}

// TemplateSettings say what is rendered, and how it is written.
type TemplateSettings struct {
	ConfDir       string // holds conf.d and templates
	Prefix        string // of keys, as templates see them
	KeepStageFile bool
	SyncOnly      bool // write files, but run no check and no reload
	Mode          fs.FileMode
	Owner         int // -1: as the process
	Group         int // -1: as the process
}

// TimingSettings say when things happen, and how long they may take.
type TimingSettings struct {
	Interval      int           // seconds; accepted, and without effect
	Gather        time.Duration // quiet time before changes are applied
	MinInterval   time.Duration // between two reloads
	CheckTimeout  time.Duration
	ReloadTimeout time.Duration
	SyncTimeout   time.Duration // of a one-shot run, until it knows the state
	Verify        time.Duration // between two looks at what was left in place
}

// SafetySettings say what becomes of changes that could hurt.
type SafetySettings struct {
	Guard   time.Duration // each change's trial; 0: none
	Hold    bool          // hold back what takes most sessions away
	HoldFor time.Duration // 0: until approved
	Splay   time.Duration // over which nodes spread common changes, or auto
}

// auto stands for a duration that the program chooses.
const auto time.Duration = -1

// WatchSettings say who may watch the program, and how.
type WatchSettings struct {
	Listen    string // HOST:PORT or unix:PATH; empty: nowhere
	PProf     bool
	Sessions  bool   // metrics of each session
	IPAM      bool   // metrics of the pools' use
	ReadyFile string // path; empty: none
}

// LogSettings are about the program's own log.
type LogSettings struct {
	Level  slog.Level
	Given  bool   // somebody gave the level: the datastore's does not count
	Format string // text or json
}

// surroundings are what settings come from besides the command line and files.
type surroundings struct {
	LookupEnv func(name string) (string, bool)
	Hostname  func() (string, error)
}

// given is the text of a setting and where it stands, as in error messages.
type given struct{ text, from string }

// layer is what one source says: texts by setting name.
type layer map[string]given

const fromDefault = "default"

// loadSettings combines all sources. From weakest to strongest: defaults, the
// TOML file, the environment, the CalicoAPIConfig file, flags. Its errors say
// which source is wrong; they are usageErrors.
func loadSettings(flags layer, around surroundings) (Settings, error) {
	table := settingsTable()
	env := envLayer(table, around.LookupEnv)
	values := merged(defaultLayer(table), env, flags)
	file, err := tomlLayer(table, values["config-file"])
	if err != nil {
		return Settings{}, usageError{err}
	}
	values = merged(defaultLayer(table), file, env, flags)
	calico, err := calicoLayer(table, values["calicoconfig"].text)
	if err != nil {
		return Settings{}, usageError{err}
	}
	values = merged(values, calico, flags)
	s, err := parseSettings(table, values)
	if err == nil {
		err = s.complete(values, around)
	}
	if err != nil {
		return Settings{}, usageError{err}
	}
	return s, nil
}

// merged returns all that the layers say; later layers win.
func merged(layers ...layer) layer {
	all := layer{}
	for _, l := range layers {
		maps.Copy(all, l)
	}
	return all
}

func defaultLayer(table []setting) layer {
	l := layer{}
	for _, s := range table {
		if s.def != "" {
			l[s.name] = given{s.def, fromDefault}
		}
	}
	return l
}

// envLayer reads the environment. An empty variable counts as unset: manifests
// leave them so.
func envLayer(table []setting, lookup func(string) (string, bool)) layer {
	l := layer{}
	for _, s := range table {
		if text, ok := lookup(s.env); s.env != "" && ok && text != "" {
			l[s.name] = given{text, "variable " + s.env}
		}
	}
	return l
}

// tomlLayer reads the configuration file, which may be missing where nobody
// asked for it.
func tomlLayer(table []setting, file given) (layer, error) {
	data, err := os.ReadFile(file.text)
	if errors.Is(err, fs.ErrNotExist) && file.from == fromDefault {
		return layer{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: configuration file: %w", file.from, err)
	}
	var tree map[string]any
	meta, err := toml.Decode(string(data), &tree)
	if err != nil {
		return nil, tomlError(file.text, data, err)
	}
	l := layer{}
	for _, key := range meta.Keys() {
		name := key[0] // no key of ours has parts
		from := fmt.Sprintf("%s:%d: %s", file.text, lineOf(data, name), name)
		text, err := tomlText(table, name, tree[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		l[name] = given{text, from}
	}
	return l, nil
}

// tomlText is the text of one key's value, where there is such a key.
func tomlText(table []setting, key string, v any) (string, error) {
	i := slices.IndexFunc(table, func(s setting) bool { return s.name == key && !s.flagOnly })
	if i < 0 {
		return "", errors.New("unknown key")
	}
	text, ok := textOf(v, table[i].kind())
	if !ok {
		return "", fmt.Errorf("expected %s", table[i].bind(&Settings{}).expects)
	}
	if _, isInt := v.(int64); isInt && table[i].kind() == kindMode {
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
func textOf(v any, k kind) (string, bool) {
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
		return strings.Join(items, k.separator()), true
	}
	return "", false
}

func parseSettings(table []setting, values layer) (Settings, error) {
	s := Settings{Templates: TemplateSettings{Owner: -1, Group: -1}}
	for _, row := range table {
		g, ok := values[row.name]
		if !ok {
			continue
		}
		v := row.bind(&s)
		if v.set(g.text) {
			continue
		}
		return Settings{}, fmt.Errorf("%s: %q: expected %s", g.from, g.text, v.expects)
	}
	return s, nil
}

// complete fills in what depends on other settings, and refuses settings that
// cannot work together.
func (s *Settings) complete(values layer, around surroundings) error {
	if err := s.completeNode(values, around); err != nil {
		return err
	}
	host, _ := around.LookupEnv("KUBERNETES_SERVICE_HOST")
	s.Kubernetes.InCluster = host != ""
	if s.Datastore == "" {
		s.Datastore = DatastoreEtcd
		if len(s.Data) > 0 {
			s.Datastore = DatastoreFile
		}
	}
	switch {
	case s.Datastore == DatastoreFile && len(s.Data) == 0:
		return fmt.Errorf("%s: datastore file needs --data", values["datastore"].from)
	case s.Datastore != DatastoreFile && len(s.Data) > 0:
		return fmt.Errorf("%s names files, but %s says %s: give --datastore file as well, or leave out one of them",
			values["data"].from, values["datastore"].from, s.Datastore)
	case s.Datastore == DatastoreEtcd:
		return s.Etcd.check(values)
	}
	return nil
}

func (s *Settings) completeNode(values layer, around surroundings) error {
	if s.Node == "" {
		host, err := around.Hostname()
		if err != nil {
			return fmt.Errorf("give the node's name with --node or NODENAME: the host's name cannot be read: %w", err)
		}
		s.Node = strings.ToLower(strings.TrimSpace(host))
		values["node"] = given{s.Node, "host name"}
	}
	if s.NodeRef == "" {
		s.NodeRef = s.Node
	}
	const expects = "expected a node's name: letters, digits, '.', '-' and '_', 253 at most"
	if !nodeName.MatchString(s.Node) {
		return fmt.Errorf("%s: %q: %s", values["node"].from, s.Node, expects)
	}
	if !nodeName.MatchString(s.NodeRef) {
		return fmt.Errorf("%s: %q: %s", values["k8s-node-ref"].from, s.NodeRef, expects)
	}
	return nil
}

func (e EtcdSettings) check(values layer) error {
	for _, endpoint := range e.Endpoints {
		if strings.Contains(endpoint, "@") {
			return fmt.Errorf("%s: an address with user and password in it: use ETCD_USERNAME and ETCD_PASSWORD instead", values["etcd-endpoints"].from)
		}
	}
	switch {
	case len(e.Endpoints) == 0 && e.DiscoverySRV == "":
		return errors.New("datastore etcdv3 needs --etcd-endpoints (ETCD_ENDPOINTS) or --etcd-discovery-srv (ETCD_DISCOVERY_SRV)")
	case len(e.Endpoints) > 0 && e.DiscoverySRV != "":
		return fmt.Errorf("%s and %s are both given: leave out one of them",
			values["etcd-endpoints"].from, values["etcd-discovery-srv"].from)
	case e.CertFile != "" && e.KeyFile == "":
		return fmt.Errorf("%s is given without a key: set --etcd-key-file (ETCD_KEY_FILE) too", values["etcd-cert-file"].from)
	case e.KeyFile != "" && e.CertFile == "":
		return fmt.Errorf("%s is given without a certificate: set --etcd-cert-file (ETCD_CERT_FILE) too", values["etcd-key-file"].from)
	case e.Password != "" && e.Username == "":
		return fmt.Errorf("%s is given without a user: set --etcd-username (ETCD_USERNAME) too", values["etcd-password"].from)
	}
	return nil
}

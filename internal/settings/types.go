package settings

import (
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/certificates"
	"confd/internal/plan"
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
	Etcd         Etcd
	Kubernetes   Kubernetes
	Typha        Typha
	BGP          BGP
	BIRD         birds.Settings
	Templates    Templates
	Timing       Timing
	Safety       Safety
	Watch        Watch
	Log          Log

	Exec    []string // commands that run BIRD; empty: somebody else does
	OneTime bool     // render and apply once, then exit
	Noop    bool     // change nothing, say what would change
	Output  string   // render: folder for the rendered files; empty: standard output
	Strict  bool     // fail where there is something to warn of

	// AllNodes has stores read what concerns other nodes, too. It is no setting of
	// a user's: confd diff sets it.
	AllNodes bool
}

// Datastore is the kind of store that the cluster's state comes from.
type Datastore string

// The datastores.
const (
	DatastoreEtcd       Datastore = "etcdv3"
	DatastoreKubernetes Datastore = "kubernetes"
	DatastoreFile       Datastore = "file"
)

// MissingFilters says what becomes of sessions whose BGPFilter does not exist.
type MissingFilters string

// Sessions go without a BGPFilter that does not exist, or reject all routes.
const (
	MissingFiltersOpen   MissingFilters = "open"
	MissingFiltersClosed MissingFilters = "closed"
)

// Etcd says how to reach etcd. Exactly one of Endpoints and DiscoverySRV is set
// where the datastore is etcd.
type Etcd struct {
	Endpoints    []string
	DiscoverySRV string // a domain
	Username     string
	Password     Password
	KeyFile      string
	CertFile     string
	CAFile       string
}

// Kubernetes says how to reach the API server, and what to read there.
type Kubernetes struct {
	Kubeconfig string
	// FromHome is set where nobody named the kubeconfig, and it is that of the user who
	// runs the program.
	FromHome    bool
	Context     string // empty: the current one
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

// DefaultRestartWait is long enough for two tries of every session that is alive:
// its peer answers within connect retry time (5 s) or error wait time (30 s).
const DefaultRestartWait = time.Minute

// BGP changes what the node speaks.
type BGP struct {
	RouterID    string // empty, "hash" or an IPv4 address
	ClusterIPs  []netip.Prefix
	LogSeverity string // empty: as the datastore says
	// MissingFilters says what sessions do that name a BGPFilter that does not
	// exist.
	MissingFilters MissingFilters
	// RequirePasswords leaves sessions out whose password is not there.
	RequirePasswords bool
	// LiveMigration has a workload that moves here preferred to where it comes from.
	LiveMigration bool
	// RestartWait is how long a BIRD that was started with -R waits for its sessions;
	// 0: BIRD's own time.
	RestartWait time.Duration
	// EndpointStatusPrefix is the folder that holds endpoint-status/.
	EndpointStatusPrefix string
}

// Templates say what is rendered, and how it is written.
type Templates struct {
	ConfDir       string // holds conf.d and templates
	Prefix        string // of keys, as templates see them
	KeepStageFile bool
	SyncOnly      bool // write files, but run no check and no reload
	Mode          fs.FileMode
	Owner         int // -1: as the process
	Group         int // -1: as the process
}

// Timing says when things happen, and how long they may take.
type Timing struct {
	Interval      int           // seconds; accepted, and without effect
	Gather        time.Duration // quiet time before changes are applied
	MinInterval   time.Duration // between two reloads
	CheckTimeout  time.Duration
	ReloadTimeout time.Duration
	SyncTimeout   time.Duration // of a one-shot run, until it knows the state
	Verify        time.Duration // between two looks at what was left in place
}

// Safety says what becomes of changes that could hurt.
type Safety struct {
	Guard   time.Duration // each change's trial; 0: none
	Hold    bool          // hold back what takes most sessions away
	HoldFor time.Duration // 0: until approved
	Outcome time.Duration // for which a change's outcome is watched; 0: not at all
	Splay   time.Duration // over which nodes spread common changes, or auto
}

// Auto stands for a duration that the program chooses.
const Auto time.Duration = -1

// Readiness is what a program that is ready has, besides that all is applied.
type Readiness string

// What can count.
const (
	ReadyRecovery Readiness = "recovery" // BIRD does not wait for sessions after a graceful restart
	ReadySessions Readiness = "sessions" // all sessions are up
	ReadyRoutes   Readiness = "routes"   // nothing is wrong with routes
)

// Watch says who may watch the program, and how.
type Watch struct {
	Listen string // HOST:PORT or unix:PATH; empty: nowhere
	// Certificates have it serve over TLS there.
	Certificates certificates.Files
	PProf        bool
	Topology     bool   // the picture of the cluster
	Sessions     bool   // metrics of each session
	IPAM         bool   // metrics of the pools' use
	ReadyFile    string // path; empty: none
	Ready        []Readiness
	Routes       time.Duration // how often routes are looked at; 0: not at all
	// CalicoSockets is the folder of sockets that answer Calico's own tools; empty: none.
	CalicoSockets string
	NodeEvents    bool // Events of the Node in Kubernetes
}

// Log is about the program's own log.
type Log struct {
	Level  slog.Level
	Given  bool   // somebody gave the level: the datastore's does not count
	Format string // text or json
}

// datastoreAddresses are the addresses of the datastore's servers that are given as
// such: no name is looked up.
func (s Settings) datastoreAddresses() []netip.Addr {
	var addrs []netip.Addr
	for _, server := range append(slices.Clone(s.Etcd.Endpoints), s.Kubernetes.APIEndpoint, s.Typha.Addr) {
		host := server
		if u, err := url.Parse(server); err == nil && u.Host != "" {
			host = u.Hostname()
		} else if h, _, err := net.SplitHostPort(server); err == nil {
			host = h
		}
		if a, err := netip.ParseAddr(host); err == nil {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// Plan are those of the settings that a candidate depends on.
func (s Settings) Plan() plan.Settings {
	return plan.Settings{
		BGP: bgp.Options{
			Node: s.Node, K8sNode: s.NodeRef, RouterID: s.BGP.RouterID,
			ClusterIPs: s.BGP.ClusterIPs, LogSeverity: s.BGP.LogSeverity,
			SecretNamespace: s.Kubernetes.Namespace, RequirePasswords: s.BGP.RequirePasswords, RestartWait: s.BGP.RestartWait, LiveMigration: s.BGP.LiveMigration,
			Datastore:  s.datastoreAddresses(),
			UsePodCIDR: s.Kubernetes.UsePodCIDR, CloseMissingFilters: s.BGP.MissingFilters == MissingFiltersClosed,
		},
		ConfDir: s.Templates.ConfDir, Prefix: s.Templates.Prefix,
		Files: plan.FileSettings{
			Mode: s.Templates.Mode, Owner: s.Templates.Owner, Group: s.Templates.Group,
			KeepStage: s.Templates.KeepStageFile, SyncOnly: s.Templates.SyncOnly,
		},
	}
}

// Typha says how to reach Typha, Calico's proxy between the datastore and the
// nodes. All is empty where there is none.
type Typha struct {
	Addr         string // HOST:PORT; wins over the Service
	Service      string // in Kubernetes
	Namespace    string // of the Service
	ReadTimeout  time.Duration
	WriteTimeout time.Duration
	KeyFile      string
	CertFile     string
	CAFile       string
	CN           string // the common name of the servers' certificates
	URISAN       string // a URI that names them
}

// InUse says whether the cluster's state comes by way of Typha.
func (t Typha) InUse() bool { return t.Addr != "" || t.Service != "" }

// InUse says whether there is an etcd to ask.
func (e Etcd) InUse() bool { return len(e.Endpoints) > 0 || e.DiscoverySRV != "" }

// Password is a text that never appears in what is printed or logged. Convert
// it to string to use it.
type Password string

// String says only whether there is a password.
func (p Password) String() string {
	if p == "" {
		return ""
	}
	return "(hidden)"
}

// GoString keeps the password out of %#v.
func (p Password) GoString() string { return strconv.Quote(p.String()) }

// MarshalText keeps the password out of JSON, and so out of logs.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

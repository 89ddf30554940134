package settings

import (
	"regexp"
	"slices"
)

// Setting describes one setting. Flags, variables, keys of both kinds of file,
// help and reference are all made from it.
type Setting struct {
	// Name is the flag without its dashes, and the key in the TOML file.
	Name  string
	Short string // one-letter flag
	Alias string // a second flag
	Env   string
	// OtherEnvs are further variables, which count where the ones before are not
	// set. Where there are any, a variable that says none counts as not set.
	OtherEnvs []string
	Field     string // in spec of a CalicoAPIConfig file
	// Default is the default as text; Computed says it in words where it depends
	// on something else.
	Default  string
	Computed string
	Group    string
	Help     string   // one line, without a full stop
	Commands []string // that have the flag; none: all
	Common   bool     // help shows it without being asked for all
	NoFlag   bool     // arguments can be seen by every user of the machine
	FlagOnly bool     // makes no sense in the TOML file
	bind     func(*Settings) value
}

// The names of the commands that have settings.
const (
	CommandRun      = "run"
	CommandRender   = "render"
	CommandDiff     = "diff"
	CommandExport   = "export"
	CommandStatus   = "status"
	CommandApprove  = "approve"
	CommandExplain  = "explain"
	CommandTopology = "topology"
	CommandDoctor   = "doctor"
	CommandPlan     = "plan"
)

// The groups, in the order of help and reference.
const (
	GroupNode       = "Node and datastore"
	GroupEtcd       = "etcd"
	GroupKubernetes = "Kubernetes"
	GroupTypha      = "Typha"
	GroupBGP        = "BGP"
	GroupBIRD       = "BIRD"
	GroupFiles      = "Templates and files"
	GroupRun        = "Running"
	GroupSafety     = "Safety"
	GroupWatch      = "Being watched"
	GroupLog        = "Logging"
)

// Groups are all groups, in that order.
func Groups() []string {
	return []string{GroupNode, GroupEtcd, GroupKubernetes, GroupTypha, GroupBGP, GroupBIRD, GroupFiles, GroupRun, GroupSafety, GroupWatch, GroupLog}
}

var (
	birdVersion = regexp.MustCompile(`^(auto|[123]|[123]\.[0-9]+(\.[0-9]+)?)$`)
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
)

// longestNode is how long a node's name may be.
const longestNode = 253

func isNodeName(s string) bool { return len(s) <= longestNode && nodeName.MatchString(s) }

// Kind is what the setting's text looks like.
func (s Setting) Kind() Kind { return s.bind(&Settings{}).kind }

// Words are some that its text may be, or an item of it.
func (s Setting) Words() []string { return s.bind(&Settings{}).words }

// NamesPaths says whether its text, or an item of it, is the path of a file or folder.
func (s Setting) NamesPaths() bool {
	v := s.bind(&Settings{})
	return v.paths || slices.Contains([]Kind{KindFile, KindFolder, KindPath}, v.kind)
}

// Envs are its variables, the first that is set wins.
func (s Setting) Envs() []string {
	if s.Env == "" {
		return nil
	}
	return append([]string{s.Env}, s.OtherEnvs...)
}

// HasFlag says whether the named command has the setting's flag. Commands that
// look at what runs have few.
func (s Setting) HasFlag(command string) bool {
	if s.NoFlag {
		return false
	}
	if command == CommandStatus || command == CommandApprove {
		ofFleet := []string{GroupNode, GroupEtcd, GroupKubernetes, GroupTypha, GroupLog}
		return s.Group == GroupBIRD || s.Name == "config-file" || slices.Contains(s.Commands, command) ||
			len(s.Commands) == 0 && slices.Contains(ofFleet, s.Group)
	}
	return len(s.Commands) == 0 || slices.Contains(s.Commands, command)
}

// DefaultText is the default in words; empty where there is none.
func (s Setting) DefaultText() string {
	if s.Computed != "" {
		return s.Computed
	}
	return s.Default
}

// Table lists every setting, in the order of help and reference.
func Table() []Setting {
	var table []Setting
	for _, rows := range [][]Setting{
		nodeSettings(), etcdSettings(), kubernetesSettings(), typhaSettings(), bgpSettings(),
		birdSettings(), fileSettings(), runSettings(), safetySettings(), watchSettings(), logSettings(),
	} {
		table = append(table, rows...)
	}
	return table
}

func nodeSettings() []Setting {
	return []Setting{
		{
			Name: "node", Env: "NODENAME", Group: GroupNode, Common: true, Computed: "the host's name, in lower case",
			Help: "name of this node in the datastore",
			bind: func(s *Settings) value { return text(&s.Node) },
		},
		{
			Name: "k8s-node-ref", Env: "CALICO_K8S_NODE_REF", Group: GroupNode, Computed: "the name of the node",
			Help: "name of this node in Kubernetes, where it has another one there",
			bind: func(s *Settings) value { return text(&s.NodeRef) },
		},
		{
			Name: "datastore", Env: "DATASTORE_TYPE", Field: "datastoreType", Group: GroupNode, Common: true,
			Computed: "file where --data is given, kubernetes where --context is, else etcdv3",
			Help:     "where the cluster's state is kept: etcdv3, kubernetes or file",
			bind:     bindDatastore,
		},
		{
			Name: "data", Env: "CONFD_DATA", Group: GroupNode, Common: true,
			Help: "files with resources (YAML or JSON), folders of them, and archives (.tgz), to read the cluster's state from",
			bind: func(s *Settings) value { return paths(&s.Data) },
		},
		{
			Name: "config-file", Env: "CONFD_CONFIG_FILE", Default: "/etc/confd/confd.toml", Group: GroupNode, FlagOnly: true,
			Help: "TOML file with settings; the default one may be missing",
			bind: func(s *Settings) value { return file(&s.ConfigFile) },
		},
		{
			Name: "calicoconfig", Env: "CONFD_CALICOCONFIG", Group: GroupNode,
			Help: "YAML file of kind CalicoAPIConfig that says how to reach the datastore",
			bind: func(s *Settings) value { return file(&s.CalicoConfig) },
		},
	}
}

// bindDatastore takes etcd as another word for etcdv3.
func bindDatastore(s *Settings) value {
	v := choice(&s.Datastore, DatastoreEtcd, DatastoreKubernetes, DatastoreFile)
	set := v.set
	v.set = func(text string) bool {
		if text == "etcd" {
			text = string(DatastoreEtcd)
		}
		return set(text)
	}
	return v
}

func etcdSettings() []Setting {
	return []Setting{
		{
			Name: "etcd-endpoints", Env: "ETCD_ENDPOINTS", Field: "etcdEndpoints", Group: GroupEtcd, Common: true,
			Help: "addresses of the etcd servers, such as https://10.0.0.1:2379",
			bind: func(s *Settings) value { return list(&s.Etcd.Endpoints) },
		},
		{
			Name: "etcd-discovery-srv", Env: "ETCD_DISCOVERY_SRV", Field: "etcdDiscoverySrv", Group: GroupEtcd,
			Help: "domain whose SRV records name the etcd servers, instead of endpoints",
			bind: func(s *Settings) value { return text(&s.Etcd.DiscoverySRV) },
		},
		{
			Name: "etcd-username", Env: "ETCD_USERNAME", Field: "etcdUsername", Group: GroupEtcd,
			Help: "user to log in to etcd as",
			bind: func(s *Settings) value { return text(&s.Etcd.Username) },
		},
		{
			Name: "etcd-password", Env: "ETCD_PASSWORD", Field: "etcdPassword", Group: GroupEtcd, NoFlag: true,
			Help: "password of that user; there is no flag, since every user of a machine can see flags",
			bind: func(s *Settings) value { return password(&s.Etcd.Password) },
		},
		{
			Name: "etcd-key-file", Env: "ETCD_KEY_FILE", Field: "etcdKeyFile", Group: GroupEtcd,
			Help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return file(&s.Etcd.KeyFile) },
		},
		{
			Name: "etcd-cert-file", Env: "ETCD_CERT_FILE", Field: "etcdCertFile", Group: GroupEtcd,
			Help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return file(&s.Etcd.CertFile) },
		},
		{
			Name: "etcd-ca-cert-file", Env: "ETCD_CA_CERT_FILE", Field: "etcdCACertFile", Group: GroupEtcd,
			Help: "PEM file with the certificates of who may vouch for the servers",
			bind: func(s *Settings) value { return file(&s.Etcd.CAFile) },
		},
	}
}

func kubernetesSettings() []Setting {
	return []Setting{
		{
			Name: "kubeconfig", Env: "KUBECONFIG", Field: "kubeconfig", Group: GroupKubernetes, Common: true,
			Computed: "the pod's service account; of a command that only looks, outside of a pod: ~/.kube/config",
			Help:     "kubeconfig file for the API server, or several, with colons between",
			bind:     func(s *Settings) value { return file(&s.Kubernetes.Kubeconfig) },
		},
		{
			Name: "context", Env: "CONFD_CONTEXT", Group: GroupKubernetes, Common: true, Computed: "its current one",
			Help: "context of the kubeconfig to use",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Context) },
		},
		{
			Name: "k8s-api-endpoint", Env: "K8S_API_ENDPOINT", Field: "k8sAPIEndpoint", Group: GroupKubernetes,
			Help: "URL of the API server",
			bind: func(s *Settings) value { return text(&s.Kubernetes.APIEndpoint) },
		},
		{
			Name: "k8s-key-file", Env: "K8S_KEY_FILE", Field: "k8sKeyFile", Group: GroupKubernetes,
			Help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return file(&s.Kubernetes.KeyFile) },
		},
		{
			Name: "k8s-cert-file", Env: "K8S_CERT_FILE", Field: "k8sCertFile", Group: GroupKubernetes,
			Help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return file(&s.Kubernetes.CertFile) },
		},
		{
			Name: "k8s-ca-file", Env: "K8S_CA_FILE", Field: "k8sCAFile", Group: GroupKubernetes,
			Help: "PEM file with the certificates of who may vouch for the API server",
			bind: func(s *Settings) value { return file(&s.Kubernetes.CAFile) },
		},
		{
			Name: "k8s-client-qps", Env: "K8S_CLIENT_QPS", Field: "k8sClientQPS", Group: GroupKubernetes, Computed: "the client's own limit",
			Help: "requests a second that the API server may be asked",
			bind: func(s *Settings) value { return number(&s.Kubernetes.QPS) },
		},
		{
			Name: "k8s-client-burst", Env: "K8S_CLIENT_BURST", Field: "k8sClientBurst", Group: GroupKubernetes, Computed: "the client's own limit",
			Help: "requests that may go out at once, above that rate",
			bind: func(s *Settings) value { return whole(&s.Kubernetes.Burst) },
		},
		{
			Name: "use-pod-cidr", Env: "USE_POD_CIDR", Field: "k8sUsePodCIDR", Default: "false", Group: GroupKubernetes,
			Help: "take each node's blocks from its podCIDRs instead of Calico's IPAM, in any datastore",
			bind: func(s *Settings) value { return boolean(&s.Kubernetes.UsePodCIDR) },
		},
		{
			Name: "calico-api-group", Env: "CALICO_API_GROUP", Field: "calicoAPIGroup", Group: GroupKubernetes, Computed: "the one that the server has",
			Help: "API group of Calico's resources: crd.projectcalico.org/v1 or projectcalico.org/v3",
			bind: func(s *Settings) value {
				return text(&s.Kubernetes.APIGroup).or("crd.projectcalico.org/v1", "projectcalico.org/v3")
			},
		},
		{
			Name: "namespace", Env: "NAMESPACE", Default: "kube-system", Group: GroupKubernetes,
			Help: "namespace of the Secrets that hold session passwords",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Namespace) },
		},
	}
}

func bgpSettings() []Setting {
	return []Setting{
		{
			Name: "router-id", Env: "CALICO_ROUTER_ID", Group: GroupBGP, Computed: "the node's IPv4 address",
			Help: "BGP identifier: an IPv4 address, or hash for one made from the node's name",
			bind: func(s *Settings) value { return routerID(&s.BGP.RouterID) },
		},
		{
			Name: "advertise-cluster-ips", Env: "CALICO_ADVERTISE_CLUSTER_IPS", Group: GroupBGP, Computed: "as BGPConfiguration says",
			Help: "CIDRs of cluster IPs to advertise, instead of those in BGPConfiguration",
			bind: func(s *Settings) value { return cidrs(&s.BGP.ClusterIPs) },
		},
		{
			Name: "bgp-log-severity", Env: "BGP_LOGSEVERITYSCREEN", Group: GroupBGP, Computed: "as BGPConfiguration says",
			Help: "how much BIRD logs: debug, info, or less for nothing",
			bind: func(s *Settings) value { return text(&s.BGP.LogSeverity).or("debug", "info") },
		},
		{
			Name: "endpoint-status-prefix", Env: "CALICO_ENDPOINT_STATUS_PATH_PREFIX", Default: "/var/run/calico", Group: GroupBGP,
			Help: "folder whose endpoint-status folder names the local workloads that speak BGP",
			bind: func(s *Settings) value { return folder(&s.BGP.EndpointStatusPrefix) },
		},
		{
			Name: "live-migration", Env: "CONFD_LIVE_MIGRATION", Default: "false", Group: GroupBGP,
			Help: "prefer a workload that has moved to this node (its route has a metric below the normal priority) to what peers still tell of it",
			bind: func(s *Settings) value { return boolean(&s.BGP.LiveMigration) },
		},
		{
			Name: "graceful-restart-wait", Env: "CONFD_GRACEFUL_RESTART_WAIT", Default: "1m", Group: GroupBGP,
			Help: "how long a BIRD that was started with -R waits for its sessions before it puts routes into the kernel; 0s is BIRD's own time, 4m",
			bind: func(s *Settings) value { return restartWait(&s.BGP.RestartWait) },
		},
		{
			Name: "require-passwords", Env: "CONFD_REQUIRE_PASSWORDS", Default: "false", Group: GroupBGP,
			Help: "leave sessions out whose password is missing, instead of making them without one",
			bind: func(s *Settings) value { return boolean(&s.BGP.RequirePasswords) },
		},
		{
			Name: "missing-filters", Env: "CONFD_MISSING_FILTERS", Default: "open", Group: GroupBGP,
			Help: "what sessions do whose BGPPeer names a BGPFilter that does not exist: open (go without it, as in Calico) or closed (reject all routes)",
			bind: func(s *Settings) value {
				return choice(&s.BGP.MissingFilters, MissingFiltersOpen, MissingFiltersClosed)
			},
		},
	}
}

func birdSettings() []Setting {
	return []Setting{
		{
			Name: "bird", Env: "CONFD_BIRD", Default: "auto", Group: GroupBIRD,
			Help: "version of BIRD to write for: auto (ask the binary), 1, 2, 3, or x.y.z",
			bind: func(s *Settings) value {
				return matching(&s.BIRD.Version, birdVersion, "auto, 1, 2, 3, or a version such as 2.17.6").or("auto", "1", "2", "3")
			},
		},
		{
			Name: "bird-binary", Env: "CONFD_BIRD_BINARY", Group: GroupBIRD, Computed: "looked up on PATH",
			Help: "BIRD's program, which checks configurations before they are used",
			bind: func(s *Settings) value { return file(&s.BIRD.Binary) },
		},
		{
			Name: "socket", Env: "CONFD_SOCKET", Group: GroupBIRD, Computed: "by BIRD's version", Commands: []string{CommandRun, CommandDiff, CommandExplain, CommandDoctor, CommandPlan, CommandTopology},
			Help: "control socket of BIRD (of BIRD 1.6: the one for IPv4)",
			bind: func(s *Settings) value { return file(&s.BIRD.Socket) },
		},
		{
			Name: "socket6", Env: "CONFD_SOCKET6", Group: GroupBIRD, Computed: "by BIRD's version", Commands: []string{CommandRun, CommandDiff, CommandExplain, CommandDoctor, CommandPlan, CommandTopology},
			Help: "control socket of BIRD 1.6 for IPv6",
			bind: func(s *Settings) value { return file(&s.BIRD.Socket6) },
		},
		{
			Name: "bird-dir", Env: "CONFD_BIRD_DIR", Group: GroupBIRD, Common: true, Computed: "by BIRD's version",
			Help: "folder that the rendered files go to",
			bind: func(s *Settings) value { return folder(&s.BIRD.Dir) },
		},
	}
}

func fileSettings() []Setting {
	return []Setting{
		{
			Name: "confdir", Env: "CONFD_CONFDIR", Default: "/etc/confd", Group: GroupFiles,
			Help: "folder that holds conf.d and templates; an empty name is for the built-in ones",
			bind: func(s *Settings) value { return folder(&s.Templates.ConfDir) },
		},
		{
			Name: "prefix", Env: "CONFD_PREFIX", Default: "/calico", Group: GroupFiles,
			Help: "start of the keys of template resources that give neither a prefix nor whole keys",
			bind: func(s *Settings) value { return text(&s.Templates.Prefix) },
		},
		{
			Name: "file-mode", Env: "CONFD_FILE_MODE", Default: "0640", Group: GroupFiles,
			Help: "permissions of rendered files, which hold session passwords",
			bind: func(s *Settings) value { return mode(&s.Templates.Mode) },
		},
		{
			Name: "owner", Env: "CONFD_OWNER", Group: GroupFiles, Computed: "who runs the program",
			Help: "user who owns rendered files, by name or number",
			bind: func(s *Settings) value { return userID(&s.Templates.Owner) },
		},
		{
			Name: "group", Env: "CONFD_GROUP", Group: GroupFiles, Computed: "the group of who runs the program",
			Help: "group of rendered files, by name or number",
			bind: func(s *Settings) value { return groupID(&s.Templates.Group) },
		},
		{
			Name: "keep-stage-file", Env: "CONFD_KEEP_STAGE_FILE", Default: "false", Group: GroupFiles, Commands: []string{CommandRun},
			Help: "keep the staged files, to look at",
			bind: func(s *Settings) value { return boolean(&s.Templates.KeepStageFile) },
		},
		{
			Name: "sync-only", Env: "CONFD_SYNC_ONLY", Default: "false", Group: GroupFiles, Commands: []string{CommandRun},
			Help: "write files, but run neither check_cmd nor reload_cmd",
			bind: func(s *Settings) value { return boolean(&s.Templates.SyncOnly) },
		},
		{
			Name: "output", Short: "o", Group: GroupFiles, Common: true, Computed: "standard output", Commands: []string{CommandRender, CommandExport}, FlagOnly: true,
			Help: "folder to write the rendered files to; of confd export: file to write",
			bind: func(s *Settings) value { return text(&s.Output).of(KindPath) },
		},
		{
			Name: "strict", Env: "CONFD_STRICT", Default: "false", Group: GroupFiles, Commands: []string{CommandRender, CommandDiff, CommandRun},
			Help: "of a run that renders once: fail where there is something to warn of, after doing what there is to do",
			bind: func(s *Settings) value { return boolean(&s.Strict) },
		},
	}
}

func runSettings() []Setting {
	run := []string{CommandRun}
	return []Setting{
		{
			Name: "onetime", Alias: "run-once", Env: "CONFD_ONETIME", Default: "false", Group: GroupRun, Common: true, Commands: run,
			Help: "render and apply once, then exit",
			bind: func(s *Settings) value { return boolean(&s.OneTime) },
		},
		{
			Name: "noop", Env: "CONFD_NOOP", Default: "false", Group: GroupRun, Common: true, Commands: run,
			Help: "change nothing; say what would change",
			bind: func(s *Settings) value { return boolean(&s.Noop) },
		},
		{
			Name: "interval", Env: "CONFD_INTERVAL", Default: "600", Group: GroupRun, Commands: run,
			Help: "seconds between two looks at the datastore; without effect, since changes are watched",
			bind: func(s *Settings) value { return whole(&s.Timing.Interval) },
		},
		{
			Name: "gather", Env: "CONFD_GATHER", Default: "50ms", Group: GroupRun, Commands: run,
			Help: "quiet time to wait for before changes are applied together",
			bind: func(s *Settings) value { return pause(&s.Timing.Gather) },
		},
		{
			Name: "min-interval", Env: "CONFD_MIN_INTERVAL", Default: "1s", Group: GroupRun, Commands: run,
			Help: "least time between two reloads of BIRD",
			bind: func(s *Settings) value { return pause(&s.Timing.MinInterval) },
		},
		{
			Name: "check-timeout", Env: "CONFD_CHECK_TIMEOUT", Default: "30s", Group: GroupRun,
			Help: "how long a check of the rendered files may take",
			bind: func(s *Settings) value { return limit(&s.Timing.CheckTimeout) },
		},
		{
			Name: "reload-timeout", Env: "CONFD_RELOAD_TIMEOUT", Default: "30s", Group: GroupRun, Commands: run,
			Help: "how long BIRD may take to answer a reload",
			bind: func(s *Settings) value { return limit(&s.Timing.ReloadTimeout) },
		},
		{
			Name: "sync-timeout", Env: "CONFD_SYNC_TIMEOUT", Default: "30s", Group: GroupRun,
			Help: "how long a run that renders once may wait for the cluster's state",
			bind: func(s *Settings) value { return limit(&s.Timing.SyncTimeout) },
		},
	}
}

// safetySettings are about changes that could hurt.
func safetySettings() []Setting {
	run := []string{CommandRun}
	return []Setting{
		{
			Name: "guard", Env: "CONFD_GUARD", Default: "0s", Group: GroupSafety, Common: true, Commands: run,
			Help: "how long each change runs on trial: BIRD goes back where a session falls that the change does not concern; 0s: no trial",
			bind: func(s *Settings) value { return pause(&s.Safety.Guard) },
		},
		{
			Name: "hold", Env: "CONFD_HOLD", Default: "true", Group: GroupSafety, Commands: run,
			Help: "hold a change back that takes most established sessions away, until it is approved",
			bind: func(s *Settings) value { return boolean(&s.Safety.Hold) },
		},
		{
			Name: "hold-for", Env: "CONFD_HOLD_FOR", Default: "0s", Group: GroupSafety, Commands: run,
			Help: "how long such a change is held at most; 0s: until it is approved, or the input changes",
			bind: func(s *Settings) value { return pause(&s.Safety.HoldFor) },
		},
		{
			Name: "outcome-for", Env: "CONFD_OUTCOME_FOR", Default: "4m5s", Group: GroupSafety, Commands: run,
			Help: "how long after a change sessions that were up before may take to be up again, before they count as lost (the default is BIRD's connect retry and hold time); 0s: they never do",
			bind: func(s *Settings) value { return pause(&s.Safety.Outcome) },
		},
		{
			Name: "splay", Env: "CONFD_SPLAY", Default: "auto", Group: GroupSafety, Commands: run,
			Help: "spread changes that concern all nodes over this time, at random; those of this node alone are not put off; auto: 1ms for each node of the cluster",
			bind: func(s *Settings) value { return pauseOrAuto(&s.Safety.Splay) },
		},
		{
			Name: "verify-interval", Env: "CONFD_VERIFY_INTERVAL", Default: "5s", Group: GroupSafety, Commands: run,
			Help: "how often to look whether the files and BIRD still are as they were left",
			bind: func(s *Settings) value { return limit(&s.Timing.Verify) },
		},
		{
			Name: "exec", Env: "CONFD_EXEC", Group: GroupSafety, Common: true, Commands: run,
			Help: "command that runs BIRD in the foreground: start it when the first checked files are in place, and keep it running; once for each daemon",
			bind: func(s *Settings) value { return lines(&s.Exec) },
		},
	}
}

// watchSettings are about those who watch this program.
func watchSettings() []Setting {
	run, fleet := []string{CommandRun}, []string{CommandRun, CommandStatus, CommandApprove}
	return []Setting{
		{
			Name: "listen", Env: "CONFD_LISTEN", Group: GroupWatch, Common: true, Commands: run, Computed: "none",
			Help: "where to serve /metrics, /status, /livez and /readyz: HOST:PORT, or unix:PATH",
			bind: func(s *Settings) value { return text(&s.Watch.Listen) },
		},
		{
			Name: "listen-cert-file", Env: "CONFD_LISTEN_CERT_FILE", Group: GroupWatch, Commands: fleet, Computed: "none: no TLS",
			Help: "PEM file with the certificate to serve with over TLS there, and to show to other nodes' programs",
			bind: func(s *Settings) value { return file(&s.Watch.Certificates.Cert) },
		},
		{
			Name: "listen-key-file", Env: "CONFD_LISTEN_KEY_FILE", Group: GroupWatch, Commands: fleet, Computed: "none",
			Help: "PEM file with the key of that certificate",
			bind: func(s *Settings) value { return file(&s.Watch.Certificates.Key) },
		},
		{
			Name: "listen-ca-file", Env: "CONFD_LISTEN_CA_FILE", Group: GroupWatch, Commands: fleet, Computed: "none: whoever connects is answered",
			Help: "PEM file with the certificates of who vouches for those that connect, and for other nodes' programs",
			bind: func(s *Settings) value { return file(&s.Watch.Certificates.CA) },
		},
		{
			Name: "pprof", Env: "CONFD_PPROF", Default: "false", Group: GroupWatch, Commands: run,
			Help: "serve /debug/pprof there, too",
			bind: func(s *Settings) value { return boolean(&s.Watch.PProf) },
		},
		{
			Name: "topology", Env: "CONFD_TOPOLOGY", Default: "false", Group: GroupWatch, Commands: run,
			Help: "show the cluster's sessions at / there, as confd topology draws them: who may look learns all nodes' addresses",
			bind: func(s *Settings) value { return boolean(&s.Watch.Topology) },
		},
		{
			Name: "session-metrics", Env: "CONFD_SESSION_METRICS", Default: "false", Group: GroupWatch, Commands: run,
			Help: "metrics of each session, besides those of all; in a mesh they grow with the square of the cluster",
			bind: func(s *Settings) value { return boolean(&s.Watch.Sessions) },
		},
		{
			Name: "ipam-metrics", Env: "CONFD_IPAM_METRICS", Default: "false", Group: GroupWatch, Commands: run,
			Help: "metrics of the IP pools' use, for which all blocks are read; one node of a cluster is enough",
			bind: func(s *Settings) value { return boolean(&s.Watch.IPAM) },
		},
		{
			Name: "node-events", Env: "CONFD_NODE_EVENTS", Default: "false", Group: GroupWatch, Commands: run,
			Help: "tell Kubernetes, as Events of the Node, what is held back, undone or quarantined; it takes the right to create Events in the namespace default",
			bind: func(s *Settings) value { return boolean(&s.Watch.NodeEvents) },
		},
		{
			Name: "routes-interval", Env: "CONFD_ROUTES_INTERVAL", Default: "10s", Group: GroupWatch, Commands: run,
			Help: "how often to look at BIRD's routes and the kernel's, at most; 0s: never",
			bind: func(s *Settings) value { return pause(&s.Watch.Routes) },
		},
		{
			Name: "ready", Env: "CONFD_READY", Default: string(ReadyRecovery), Group: GroupWatch, Commands: run,
			Help: "what else /readyz waits for, besides that all is applied: recovery (BIRD's from a graceful restart is over), sessions (all are up), routes (nothing is wrong with them), or none",
			bind: func(s *Settings) value { return readiness(&s.Watch.Ready) },
		},
		{
			Name: "calico-sockets", Env: "CONFD_CALICO_SOCKETS", Group: GroupWatch, Commands: run, Computed: "none",
			Help: "folder to make bird.ctl and bird6.ctl in, which answer calicoctl and calico-node in BIRD 1.6's words: for BIRD 2 and 3, with --socket",
			bind: func(s *Settings) value { return folder(&s.Watch.CalicoSockets) },
		},
		{
			Name: "ready-file", Env: "CONFD_READY_FILE", Group: GroupWatch, Commands: run, Computed: "none",
			Help: "file that is there while /readyz is good, for probes that run a command",
			bind: func(s *Settings) value { return file(&s.Watch.ReadyFile) },
		},
	}
}

func logSettings() []Setting {
	return []Setting{
		{
			Name: "log-level", Env: "CONFD_LOG_LEVEL", Group: GroupLog, Computed: "info, or what BGPConfiguration's logSeverityScreen says",
			Help: "least severity of what this program logs: debug, info, warn or error",
			bind: func(s *Settings) value { return logLevel(&s.Log.Level, &s.Log.Given) },
		},
		{
			Name: "log-format", Env: "CONFD_LOG_FORMAT", Default: "text", Group: GroupLog,
			Help: "form of log lines: text or json",
			bind: func(s *Settings) value { return choice(&s.Log.Format, "text", "json") },
		},
	}
}

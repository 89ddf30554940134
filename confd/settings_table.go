package main

import "regexp"

// setting describes one setting. Flags, variables, keys of both kinds of file,
// help and reference are all made from it.
type setting struct {
	// name is the flag without its dashes, and the key in the TOML file.
	name  string
	short string // one-letter flag
	alias string // a second flag
	env   string
	field string // in spec of a CalicoAPIConfig file
	// def is the default as text; computed says it in words where it depends on
	// something else.
	def      string
	computed string
	group    string
	help     string   // one line, without a full stop
	commands []string // that have the flag; none: all
	noFlag   bool     // arguments can be seen by every user of the machine
	flagOnly bool     // makes no sense in the TOML file
	bind     func(*Settings) value
}

// The names of the commands that have settings.
const (
	commandRun     = "run"
	commandRender  = "render"
	commandDiff    = "diff"
	commandExport  = "export"
	commandStatus  = "status"
	commandApprove = "approve"
)

// The groups, in the order of help and reference.
const (
	groupNode       = "Node and datastore"
	groupEtcd       = "etcd"
	groupKubernetes = "Kubernetes"
	groupBGP        = "BGP"
	groupBIRD       = "BIRD"
	groupFiles      = "Templates and files"
	groupRun        = "Running"
	groupSafety     = "Safety"
	groupWatch      = "Being watched"
	groupLog        = "Logging"
)

func settingGroups() []string {
	return []string{groupNode, groupEtcd, groupKubernetes, groupBGP, groupBIRD, groupFiles, groupRun, groupSafety, groupWatch, groupLog}
}

var (
	birdVersion = regexp.MustCompile(`^(auto|[123]|[123]\.[0-9]+(\.[0-9]+)?)$`)
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)
)

// kind is what the setting's text looks like.
func (s setting) kind() kind { return s.bind(&Settings{}).kind }

// defaultText is the default in words; empty where there is none.
func (s setting) defaultText() string {
	if s.computed != "" {
		return s.computed
	}
	return s.def
}

// settingsTable lists every setting, in the order of help and reference.
func settingsTable() []setting {
	var table []setting
	for _, rows := range [][]setting{
		nodeSettings(), etcdSettings(), kubernetesSettings(), bgpSettings(),
		birdSettings(), fileSettings(), runSettings(), safetySettings(), watchSettings(), logSettings(),
	} {
		table = append(table, rows...)
	}
	return table
}

func nodeSettings() []setting {
	return []setting{
		{
			name: "node", env: "NODENAME", group: groupNode, computed: "the host's name, in lower case",
			help: "name of this node in the datastore",
			bind: func(s *Settings) value { return text(&s.Node) },
		},
		{
			name: "k8s-node-ref", env: "CALICO_K8S_NODE_REF", group: groupNode, computed: "the name of the node",
			help: "name of this node in Kubernetes, where it has another one there",
			bind: func(s *Settings) value { return text(&s.NodeRef) },
		},
		{
			name: "datastore", env: "DATASTORE_TYPE", field: "datastoreType", group: groupNode,
			computed: "file where --data is given, else etcdv3",
			help:     "where the cluster's state is kept: etcdv3, kubernetes or file",
			bind:     bindDatastore,
		},
		{
			name: "data", env: "CONFD_DATA", group: groupNode,
			help: "YAML files, and folders of them, to read the cluster's state from",
			bind: func(s *Settings) value { return list(&s.Data) },
		},
		{
			name: "config-file", env: "CONFD_CONFIG_FILE", def: "/etc/confd/confd.toml", group: groupNode, flagOnly: true,
			help: "TOML file with settings; the default one may be missing",
			bind: func(s *Settings) value { return text(&s.ConfigFile) },
		},
		{
			name: "calicoconfig", env: "CONFD_CALICOCONFIG", group: groupNode,
			help: "YAML file of kind CalicoAPIConfig that says how to reach the datastore",
			bind: func(s *Settings) value { return text(&s.CalicoConfig) },
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

func etcdSettings() []setting {
	return []setting{
		{
			name: "etcd-endpoints", env: "ETCD_ENDPOINTS", field: "etcdEndpoints", group: groupEtcd,
			help: "addresses of the etcd servers, such as https://10.0.0.1:2379",
			bind: func(s *Settings) value { return list(&s.Etcd.Endpoints) },
		},
		{
			name: "etcd-discovery-srv", env: "ETCD_DISCOVERY_SRV", field: "etcdDiscoverySrv", group: groupEtcd,
			help: "domain whose SRV records name the etcd servers, instead of endpoints",
			bind: func(s *Settings) value { return text(&s.Etcd.DiscoverySRV) },
		},
		{
			name: "etcd-username", env: "ETCD_USERNAME", field: "etcdUsername", group: groupEtcd,
			help: "user to log in to etcd as",
			bind: func(s *Settings) value { return text(&s.Etcd.Username) },
		},
		{
			name: "etcd-password", env: "ETCD_PASSWORD", field: "etcdPassword", group: groupEtcd, noFlag: true,
			help: "password of that user; there is no flag, since every user of a machine can see flags",
			bind: func(s *Settings) value { return password(&s.Etcd.Password) },
		},
		{
			name: "etcd-key-file", env: "ETCD_KEY_FILE", field: "etcdKeyFile", group: groupEtcd,
			help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return text(&s.Etcd.KeyFile) },
		},
		{
			name: "etcd-cert-file", env: "ETCD_CERT_FILE", field: "etcdCertFile", group: groupEtcd,
			help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return text(&s.Etcd.CertFile) },
		},
		{
			name: "etcd-ca-cert-file", env: "ETCD_CA_CERT_FILE", field: "etcdCACertFile", group: groupEtcd,
			help: "PEM file with the certificates of who may vouch for the servers",
			bind: func(s *Settings) value { return text(&s.Etcd.CAFile) },
		},
	}
}

func kubernetesSettings() []setting {
	return []setting{
		{
			name: "kubeconfig", env: "KUBECONFIG", field: "kubeconfig", group: groupKubernetes, computed: "as the pod's service account",
			help: "kubeconfig file to reach the API server with",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Kubeconfig) },
		},
		{
			name: "k8s-api-endpoint", env: "K8S_API_ENDPOINT", field: "k8sAPIEndpoint", group: groupKubernetes,
			help: "URL of the API server",
			bind: func(s *Settings) value { return text(&s.Kubernetes.APIEndpoint) },
		},
		{
			name: "k8s-key-file", env: "K8S_KEY_FILE", field: "k8sKeyFile", group: groupKubernetes,
			help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return text(&s.Kubernetes.KeyFile) },
		},
		{
			name: "k8s-cert-file", env: "K8S_CERT_FILE", field: "k8sCertFile", group: groupKubernetes,
			help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return text(&s.Kubernetes.CertFile) },
		},
		{
			name: "k8s-ca-file", env: "K8S_CA_FILE", field: "k8sCAFile", group: groupKubernetes,
			help: "PEM file with the certificates of who may vouch for the API server",
			bind: func(s *Settings) value { return text(&s.Kubernetes.CAFile) },
		},
		{
			name: "k8s-client-qps", env: "K8S_CLIENT_QPS", field: "k8sClientQPS", group: groupKubernetes, computed: "the client's own limit",
			help: "requests a second that the API server may be asked",
			bind: func(s *Settings) value { return number(&s.Kubernetes.QPS) },
		},
		{
			name: "k8s-client-burst", env: "K8S_CLIENT_BURST", field: "k8sClientBurst", group: groupKubernetes, computed: "the client's own limit",
			help: "requests that may go out at once, above that rate",
			bind: func(s *Settings) value { return whole(&s.Kubernetes.Burst) },
		},
		{
			name: "use-pod-cidr", env: "USE_POD_CIDR", field: "k8sUsePodCIDR", def: "false", group: groupKubernetes,
			help: "take each node's blocks from its podCIDRs instead of Calico's IPAM",
			bind: func(s *Settings) value { return boolean(&s.Kubernetes.UsePodCIDR) },
		},
		{
			name: "calico-api-group", env: "CALICO_API_GROUP", field: "calicoAPIGroup", group: groupKubernetes, computed: "the one that the server has",
			help: "API group of Calico's resources: crd.projectcalico.org/v1 or projectcalico.org/v3",
			bind: func(s *Settings) value { return text(&s.Kubernetes.APIGroup) },
		},
		{
			name: "namespace", env: "NAMESPACE", def: "kube-system", group: groupKubernetes,
			help: "namespace of the Secrets that hold session passwords",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Namespace) },
		},
	}
}

func bgpSettings() []setting {
	return []setting{
		{
			name: "router-id", env: "CALICO_ROUTER_ID", group: groupBGP, computed: "the node's IPv4 address",
			help: "BGP identifier: an IPv4 address, or hash for one made from the node's name",
			bind: func(s *Settings) value { return routerID(&s.BGP.RouterID) },
		},
		{
			name: "advertise-cluster-ips", env: "CALICO_ADVERTISE_CLUSTER_IPS", group: groupBGP, computed: "as BGPConfiguration says",
			help: "CIDRs of cluster IPs to advertise, instead of those in BGPConfiguration",
			bind: func(s *Settings) value { return cidrs(&s.BGP.ClusterIPs) },
		},
		{
			name: "bgp-log-severity", env: "BGP_LOGSEVERITYSCREEN", group: groupBGP, computed: "as BGPConfiguration says",
			help: "how much BIRD logs: debug, info, or less for nothing",
			bind: func(s *Settings) value { return text(&s.BGP.LogSeverity) },
		},
		{
			name: "endpoint-status-prefix", env: "CALICO_ENDPOINT_STATUS_PATH_PREFIX", def: "/var/run/calico", group: groupBGP,
			help: "folder whose endpoint-status folder names the local workloads that speak BGP",
			bind: func(s *Settings) value { return text(&s.BGP.EndpointStatusPrefix) },
		},
		{
			name: "require-passwords", env: "CONFD_REQUIRE_PASSWORDS", def: "false", group: groupBGP,
			help: "leave sessions out whose password is missing, instead of making them without one",
			bind: func(s *Settings) value { return boolean(&s.BGP.RequirePasswords) },
		},
	}
}

func birdSettings() []setting {
	return []setting{
		{
			name: "bird", env: "CONFD_BIRD", def: "auto", group: groupBIRD,
			help: "version of BIRD to write for: auto (ask the binary), 1, 2, 3, or x.y.z",
			bind: func(s *Settings) value {
				return matching(&s.BIRD.Version, birdVersion, "auto, 1, 2, 3, or a version such as 2.17.6")
			},
		},
		{
			name: "bird-binary", env: "CONFD_BIRD_BINARY", group: groupBIRD, computed: "looked up on PATH",
			help: "BIRD's program, which checks configurations before they are used",
			bind: func(s *Settings) value { return text(&s.BIRD.Binary) },
		},
		{
			name: "socket", env: "CONFD_SOCKET", group: groupBIRD, computed: "by BIRD's version", commands: []string{commandRun, commandDiff},
			help: "control socket of BIRD (of BIRD 1.6: the one for IPv4)",
			bind: func(s *Settings) value { return text(&s.BIRD.Socket) },
		},
		{
			name: "socket6", env: "CONFD_SOCKET6", group: groupBIRD, computed: "by BIRD's version", commands: []string{commandRun, commandDiff},
			help: "control socket of BIRD 1.6 for IPv6",
			bind: func(s *Settings) value { return text(&s.BIRD.Socket6) },
		},
		{
			name: "bird-dir", env: "CONFD_BIRD_DIR", group: groupBIRD, computed: "by BIRD's version",
			help: "folder that the rendered files go to",
			bind: func(s *Settings) value { return text(&s.BIRD.Dir) },
		},
	}
}

func fileSettings() []setting {
	return []setting{
		{
			name: "confdir", env: "CONFD_CONFDIR", def: "/etc/confd", group: groupFiles,
			help: "folder that holds conf.d and templates",
			bind: func(s *Settings) value { return text(&s.Templates.ConfDir) },
		},
		{
			name: "prefix", env: "CONFD_PREFIX", def: "/calico", group: groupFiles,
			help: "start of the keys of template resources that give neither a prefix nor whole keys",
			bind: func(s *Settings) value { return text(&s.Templates.Prefix) },
		},
		{
			name: "file-mode", env: "CONFD_FILE_MODE", def: "0640", group: groupFiles,
			help: "permissions of rendered files, which hold session passwords",
			bind: func(s *Settings) value { return mode(&s.Templates.Mode) },
		},
		{
			name: "owner", env: "CONFD_OWNER", group: groupFiles, computed: "who runs the program",
			help: "user who owns rendered files, by name or number",
			bind: func(s *Settings) value { return userID(&s.Templates.Owner) },
		},
		{
			name: "group", env: "CONFD_GROUP", group: groupFiles, computed: "the group of who runs the program",
			help: "group of rendered files, by name or number",
			bind: func(s *Settings) value { return groupID(&s.Templates.Group) },
		},
		{
			name: "keep-stage-file", env: "CONFD_KEEP_STAGE_FILE", def: "false", group: groupFiles, commands: []string{commandRun},
			help: "keep the staged files, to look at",
			bind: func(s *Settings) value { return boolean(&s.Templates.KeepStageFile) },
		},
		{
			name: "sync-only", env: "CONFD_SYNC_ONLY", def: "false", group: groupFiles, commands: []string{commandRun},
			help: "write files, but run neither check_cmd nor reload_cmd",
			bind: func(s *Settings) value { return boolean(&s.Templates.SyncOnly) },
		},
		{
			name: "output", short: "o", group: groupFiles, computed: "standard output", commands: []string{commandRender, commandExport}, flagOnly: true,
			help: "folder to write the rendered files to; of confd export: file to write",
			bind: func(s *Settings) value { return text(&s.Output) },
		},
		{
			name: "strict", env: "CONFD_STRICT", def: "false", group: groupFiles, commands: []string{commandRender, commandRun},
			help: "of a run that renders once: fail where something that was asked for had to be left out",
			bind: func(s *Settings) value { return boolean(&s.Strict) },
		},
	}
}

func runSettings() []setting {
	run := []string{commandRun}
	return []setting{
		{
			name: "onetime", alias: "run-once", env: "CONFD_ONETIME", def: "false", group: groupRun, commands: run,
			help: "render and apply once, then exit",
			bind: func(s *Settings) value { return boolean(&s.OneTime) },
		},
		{
			name: "noop", env: "CONFD_NOOP", def: "false", group: groupRun, commands: run,
			help: "change nothing; say what would change",
			bind: func(s *Settings) value { return boolean(&s.Noop) },
		},
		{
			name: "interval", env: "CONFD_INTERVAL", def: "600", group: groupRun, commands: run,
			help: "seconds between two looks at the datastore; without effect, since changes are watched",
			bind: func(s *Settings) value { return whole(&s.Timing.Interval) },
		},
		{
			name: "gather", env: "CONFD_GATHER", def: "50ms", group: groupRun, commands: run,
			help: "quiet time to wait for before changes are applied together",
			bind: func(s *Settings) value { return pause(&s.Timing.Gather) },
		},
		{
			name: "min-interval", env: "CONFD_MIN_INTERVAL", def: "1s", group: groupRun, commands: run,
			help: "least time between two reloads of BIRD",
			bind: func(s *Settings) value { return pause(&s.Timing.MinInterval) },
		},
		{
			name: "check-timeout", env: "CONFD_CHECK_TIMEOUT", def: "30s", group: groupRun,
			help: "how long a check of the rendered files may take",
			bind: func(s *Settings) value { return limit(&s.Timing.CheckTimeout) },
		},
		{
			name: "reload-timeout", env: "CONFD_RELOAD_TIMEOUT", def: "30s", group: groupRun, commands: run,
			help: "how long BIRD may take to answer a reload",
			bind: func(s *Settings) value { return limit(&s.Timing.ReloadTimeout) },
		},
		{
			name: "sync-timeout", env: "CONFD_SYNC_TIMEOUT", def: "30s", group: groupRun,
			help: "how long a run that renders once may wait for the cluster's state",
			bind: func(s *Settings) value { return limit(&s.Timing.SyncTimeout) },
		},
	}
}

// safetySettings are about changes that could hurt.
func safetySettings() []setting {
	run := []string{commandRun}
	return []setting{
		{
			name: "guard", env: "CONFD_GUARD", def: "0s", group: groupSafety, commands: run,
			help: "how long each change runs on trial: BIRD goes back where a session falls that the change does not concern; 0s: no trial",
			bind: func(s *Settings) value { return pause(&s.Safety.Guard) },
		},
		{
			name: "hold", env: "CONFD_HOLD", def: "true", group: groupSafety, commands: run,
			help: "hold a change back that takes most established sessions away, until it is approved",
			bind: func(s *Settings) value { return boolean(&s.Safety.Hold) },
		},
		{
			name: "hold-for", env: "CONFD_HOLD_FOR", def: "0s", group: groupSafety, commands: run,
			help: "how long such a change is held at most; 0s: until it is approved, or the input changes",
			bind: func(s *Settings) value { return pause(&s.Safety.HoldFor) },
		},
		{
			name: "splay", env: "CONFD_SPLAY", def: "auto", group: groupSafety, commands: run,
			help: "spread changes that concern all nodes over this time, at random; those of this node alone are not put off; auto: 1 ms for each node of the cluster",
			bind: func(s *Settings) value { return pauseOrAuto(&s.Safety.Splay) },
		},
		{
			name: "verify-interval", env: "CONFD_VERIFY_INTERVAL", def: "5s", group: groupSafety, commands: run,
			help: "how often to look whether the files and BIRD still are as they were left",
			bind: func(s *Settings) value { return limit(&s.Timing.Verify) },
		},
		{
			name: "exec", env: "CONFD_EXEC", group: groupSafety, commands: run,
			help: "command that runs BIRD in the foreground: start it when the first checked files are in place, and keep it running; once for each daemon",
			bind: func(s *Settings) value { return lines(&s.Exec) },
		},
	}
}

// watchSettings are about those who watch this program.
func watchSettings() []setting {
	run := []string{commandRun}
	return []setting{
		{
			name: "listen", env: "CONFD_LISTEN", group: groupWatch, commands: run, computed: "none",
			help: "where to serve /metrics, /livez and /readyz: HOST:PORT, or unix:PATH",
			bind: func(s *Settings) value { return text(&s.Watch.Listen) },
		},
		{
			name: "pprof", env: "CONFD_PPROF", def: "false", group: groupWatch, commands: run,
			help: "serve /debug/pprof there, too",
			bind: func(s *Settings) value { return boolean(&s.Watch.PProf) },
		},
		{
			name: "session-metrics", env: "CONFD_SESSION_METRICS", def: "false", group: groupWatch, commands: run,
			help: "metrics of each session, besides those of all; in a mesh they grow with the square of the cluster",
			bind: func(s *Settings) value { return boolean(&s.Watch.Sessions) },
		},
		{
			name: "ipam-metrics", env: "CONFD_IPAM_METRICS", def: "false", group: groupWatch, commands: run,
			help: "metrics of the IP pools' use, for which all blocks are read; one node of a cluster is enough",
			bind: func(s *Settings) value { return boolean(&s.Watch.IPAM) },
		},
		{
			name: "ready-file", env: "CONFD_READY_FILE", group: groupWatch, commands: run, computed: "none",
			help: "file that is there while /readyz is good, for probes that run a command",
			bind: func(s *Settings) value { return text(&s.Watch.ReadyFile) },
		},
	}
}

func logSettings() []setting {
	return []setting{
		{
			name: "log-level", env: "CONFD_LOG_LEVEL", group: groupLog, computed: "info, or what BGPConfiguration's logSeverityScreen says",
			help: "least severity of what this program logs: debug, info, warn or error",
			bind: func(s *Settings) value { return logLevel(&s.Log.Level, &s.Log.Given) },
		},
		{
			name: "log-format", env: "CONFD_LOG_FORMAT", def: "text", group: groupLog,
			help: "form of log lines: text or json",
			bind: func(s *Settings) value { return choice(&s.Log.Format, "text", "json") },
		},
	}
}

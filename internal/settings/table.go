package settings

import "regexp"

var birdVersion = regexp.MustCompile(`^(auto|[123]|[123]\.[0-9]+(\.[0-9]+)?)$`)

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
			Help: "how much BIRD logs: debug, info, or less (warning, error, fatal, none) for nothing",
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

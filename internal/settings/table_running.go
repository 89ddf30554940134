package settings

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

package metrics

import "slices"

// The types of metrics.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// Definition says what a metric is.
type Definition struct {
	Name   string
	Type   string // counter, gauge, histogram
	Labels []string
	Help   string // one line, without a full stop
	Group  string // heading of the reference page that it stands below
	// Optional says what has to be switched on for it; empty: it is always there.
	Optional string
}

// The groups, in the order of the reference page.
const (
	groupState     = "Where it stands"
	groupWork      = "What it did"
	groupBIRD      = "BIRD and its sessions"
	groupRoutes    = "Routes"
	groupObjects   = "Objects"
	groupIPAM      = "IPAM"
	withSessions   = "--session-metrics"
	withIPAM       = "--ipam-metrics"
	labelSet       = "set"
	labelKind      = "kind"
	labelFamily    = "family"
	labelResult    = "result"
	labelState     = "state"
	labelStage     = "stage"
	labelSource    = "source"
	labelServer    = "server"
	labelPool      = "pool"
	labelName      = "name"
	labelHash      = "hash"
	labelBIRD      = "bird"
	labelNode      = "node"
	labelVersion   = "version"
	labelDirection = "direction"
	labelEffect    = "effect"
	labelPeer      = "peer"
	labelPeerNode  = "peer_node"
	labelAS        = "as"
	labelProtocol  = "protocol"
)

// Definitions lists every metric of this package, in the order of the reference
// page. The metrics of the Go runtime and of the process are not among them.
func Definitions() []Definition {
	return slices.Concat(stateDefinitions(), workDefinitions(), birdDefinitions(), routeDefinitions(), objectDefinitions(), ipamDefinitions())
}

func stateDefinitions() []Definition {
	def := func(name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: gauge, Labels: labels, Help: help, Group: groupState}
	}
	return []Definition{
		def("confd_build_info", "Always 1; the labels say which program this is, and for which node it works", labelVersion, labelNode),
		def("confd_ready", "1 where every source is in step and BIRD has confirmed every set, as /readyz says; else 0"),
		def("confd_source_in_step", "1 where a source of the cluster's state has told all that it holds, and is being watched; else 0", labelSource),
		def("confd_source_revision", "Revision of the newest state that a source has told, where it is a number", labelSource),
		def("confd_source_server_info", "Always 1; the labels say which server a source reads through, and its version. Only for sources that have such servers (Typha), while connected", labelSource, labelServer, labelVersion),
		def("confd_source_server_connected_timestamp_seconds", "When the connection to that server was made", labelSource),
		def("confd_source_server_lag_seconds", "How much later than it was written the last sign of life of that server came, as far as the clocks of both machines agree", labelSource),
		def("confd_pending_age_seconds", "How long the oldest change that is not live yet has been waiting; 0 where all are live"),
		def("confd_held", "1 while a configuration is held back since it would take too many sessions away; else 0"),
		def("confd_lost_sessions", "Sessions that were up before a change, should be up after it, and are not"),
		def("confd_held_sessions", "Established sessions that the held configuration would take away"),
		def("confd_stale_age_seconds", "Age of the configuration from before the program's start that BIRD runs on, as the datastore is away or what it says is not in place; 0 otherwise"),
		def("confd_templates_refused", "1 where changed templates do not work and the old ones are in use; else 0"),
		def("confd_config_info", "Always 1; the labels say what BIRD has confirmed: the hash of the set's files, and the version of the BIRD that runs", labelSet, labelHash, labelBIRD),
		def("confd_config_in_step", "1 where what was rendered, what is installed and what BIRD has confirmed are the same; else 0", labelSet),
		def("confd_config_revision", "Revision of the datastore that the confirmed configuration was made from, where it is a number", labelSet),
		def("confd_config_confirmed_timestamp_seconds", "When BIRD last confirmed a configuration; 0: not yet", labelSet),
		def("confd_config_on_trial", "1 while a configuration runs on trial (--guard); else 0", labelSet),
		def("confd_config_restart_needed", "Settings that wait for a restart of BIRD, since it takes them only then", labelSet),
	}
}

func workDefinitions() []Definition {
	def := func(kind, name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: kind, Labels: labels, Help: help, Group: groupWork}
	}
	return []Definition{
		def(histogram, "confd_apply_duration_seconds", "From the first change to BIRD's confirmation", labelSet),
		def(histogram, "confd_apply_stage_duration_seconds", "Time of each stage on that way: gather, compute, render, check, swap, confirm", labelStage),
		def(counter, "confd_renders_total", "Times that the templates were rendered, by result: ok, failed", labelResult),
		def(counter, "confd_checks_total", "Times that a set was given to BIRD's check, by result: ok, refused, impossible", labelResult),
		def(counter, "confd_reloads_total", "Times that BIRD was to take a set, by result: confirmed, installed (BIRD was not up, and reads it when it starts), refused, hung, busy, restarting, not_running, undone, failed", labelSet, labelResult),
		def(counter, "confd_retries_total", "Times that something was tried again after it had failed"),
		def(counter, "confd_holds_total", "Times that a configuration was held back"),
		def(counter, "confd_drifts_total", "Times that what BIRD runs was found to be something else, and put right, by kind: file (edited by hand), restart (of BIRD), reconfigured (by somebody else), route (an older one of BIRD's was left in the kernel), network (forgotten by BIRD), port (sessions that BIRD gave up)", labelKind),
		def(counter, "confd_child_restarts_total", "Times that a BIRD of --exec was started again", labelName),
	}
}

func birdDefinitions() []Definition {
	def := func(optional, name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: gauge, Labels: labels, Help: help, Group: groupBIRD, Optional: optional}
	}
	each := []string{labelName, labelFamily, labelKind, labelPeer, labelPeerNode, labelAS}
	return []Definition{
		def("", "confd_bird_up", "1 where BIRD answers on its control socket; else 0. Not there for an IPv6 daemon that is not used", labelSet),
		def("", "confd_bird_state", "1 for the state that BIRD is in, 0 for the others: up, absent (no socket), hung (it does not answer), busy (reconfiguring), restarting, unknown", labelSet, labelState),
		def("", "confd_sessions", "BGP sessions that BIRD has, by state: established, connecting, idle, down; by family: 4, 6; and by kind: mesh, global, node, local_workload, other", labelState, labelFamily, labelKind),
		def("", "confd_sessions_configured", "BGP sessions that the live configuration has", labelFamily, labelKind),
		def(withSessions, "confd_session_up", "1 where the session is established; else 0. The labels are its name in BIRD, family, kind (mesh, global, node, local_workload, other), and the peer's address, node (where it is one) and AS number", each...),
		def(withSessions, "confd_session_state_changed_timestamp_seconds", "When the session, of that kind (mesh, global, node, local_workload, other), came into the state that it is in", each...),
		def(withSessions, "confd_session_routes", "Routes of the session, by direction: imported, exported", append(slices.Clone(each), labelDirection)...),
	}
}

func routeDefinitions() []Definition {
	def := func(name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: gauge, Labels: labels, Help: help, Group: groupRoutes}
	}
	return []Definition{
		def("confd_routes_known", "1 where BIRD's routes and the kernel's could be looked at; else 0, and nothing is said of them", labelSet),
		def("confd_routes", "Routes that BIRD has, by where they come from: bgp, static, kernel, direct", labelFamily, labelProtocol),
		def("confd_routes_programmed", "Routes of the kernel's that BIRD has programmed; not there where that is not known", labelFamily),
		def("confd_route_faults", "What is wrong with routes, by kind: unreachable, next_hop_by_bgp (the way to the next hop is a route of BGP itself), next_hop_by_router (a gateway leads to it, though it is in a network of the node's), kernel_missing, kernel_other (it leads elsewhere), kernel_stale (an older one of BIRD's besides), kernel_left (BIRD does not have it), not_told (to a peer), block_absent (of another node), and what keeps sessions down on this side: source_not_local, peer_blackholed", labelSet, labelKind),
		def("confd_bird_recovering", "1 while BIRD waits for sessions after a graceful restart, and puts nothing into the kernel; else 0", labelSet),
	}
}

func objectDefinitions() []Definition {
	def := func(name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: gauge, Labels: labels, Help: help, Group: groupObjects}
	}
	return []Definition{
		def("confd_problem_objects", "Objects that something is wrong with, by kind, and by effect: left_out (something that was asked for is not configured), noted", labelKind, labelEffect),
		def("confd_quarantined_objects", "Objects that are left out since BIRD's check refused what they ask for, by kind", labelKind),
	}
}

func ipamDefinitions() []Definition {
	def := func(optional, name, help string, labels ...string) Definition {
		return Definition{Name: name, Type: gauge, Labels: labels, Help: help, Group: groupIPAM, Optional: optional}
	}
	return []Definition{
		def("", "confd_ipam_node_blocks", "IPAM blocks of this node, by family: 4, 6", labelFamily),
		def(withIPAM, "confd_ipam_pool_blocks_used", "Blocks of the pool that IPAM has handed out, in the whole cluster", labelPool, labelFamily),
		def(withIPAM, "confd_ipam_pool_blocks_free", "Blocks of the pool that nobody has", labelPool, labelFamily),
		def(withIPAM, "confd_ipam_pool_addresses_used", "Addresses of the pool that are in use; not there in clusters of very many blocks", labelPool, labelFamily),
		def(withIPAM, "confd_ipam_pool_addresses", "Addresses that the pool has", labelPool, labelFamily),
		def(withIPAM, "confd_ipam_borrowed_addresses", "Addresses that this node's workloads have in blocks of other nodes"),
		def(withIPAM, "confd_ipam_lent_addresses", "Addresses in this node's blocks that workloads of other nodes have"),
		def(withIPAM, "confd_ipam_unreadable_blocks", "Blocks that made no sense, and are not counted"),
	}
}

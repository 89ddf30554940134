package bgp

import (
	"slices"

	"confd/backends"
)

// The codes of problems that show when a node's configuration is worked out. Codes
// says what each one means.
const (
	CodeAddressTaken      backends.Code = "address-taken"
	CodeSessionTaken      backends.Code = "session-taken"
	CodeBadSelector       backends.Code = "bad-selector"
	CodeOwnAddress        backends.Code = "own-address"
	CodeNoAddress         backends.Code = "no-address"
	CodeLocalAS           backends.Code = "local-as"
	CodeNoSuchFilter      backends.Code = "no-such-filter"
	CodeNoPassword        backends.Code = "no-password"
	CodeBadPassword       backends.Code = "bad-password"
	CodeTimeOutOfRange    backends.Code = "time-out-of-range"
	CodeUnknownCommunity  backends.Code = "unknown-community"
	CodePoolRoutes        backends.Code = "pool-routes"
	CodeBlackhole         backends.Code = "blackhole-in-the-way"
	CodeListensEverywhere backends.Code = "listens-everywhere"
	CodeRouterIDFromName  backends.Code = "router-id-from-name"
	CodeLargeMesh         backends.Code = "large-mesh"
	CodeServiceOutside    backends.Code = "service-outside-ranges"
	CodeUnknownSeverity   backends.Code = "unknown-log-severity"
	CodeSharedNeighbor    backends.Code = "shared-neighbor"
)

// Codes explains the codes of this package.
func Codes() []backends.CodeInfo {
	return []backends.CodeInfo{
		{
			Code: CodeAddressTaken, Says: `has the address 10.0.0.2, which node "b" has too: where either could have a session, the first by name has it`,
			Means: "Only one session to an address is possible.",
			Do:    "Remove the Node that is no more, or correct its address.",
		},
		{
			Code: CodeSessionTaken, Says: "session Node_10_0_0_2 is left out: BGPPeer a has one with the same neighbor and port",
			Means: "Two BGPPeers ask for one session: the first by name has it.",
			Do:    "Remove one, or give them different nodes.",
		},
		{
			Code: CodeBadSelector, Says: `left out: spec.nodeSelector: expected ")" at byte 4, found the end`,
			Means: "The selector cannot be read, so the BGPPeer is for nobody.",
			Do:    "Correct the selector.",
		},
		{
			Code: CodeOwnAddress, Says: `its session with 10.0.0.1 port 1790 is left out: the address is node "a"'s own, which BIRD has no sessions with`,
			Means: "A node has no session with itself.",
			Do:    "Correct peerIP (of a workload: its address), or leave the node out of the selector.",
		},
		{
			Code: CodeNoAddress, Says: `its session with fd00::9 is left out: node "a" has no IPv6 address`,
			Means: "A session needs an address of the peer's family.",
			Do:    "Give the node one, or leave it out of the selector.",
		},
		{
			Code: CodeLocalAS, Says: `has a localASNumber for the session with node "b", whose own end expects AS 64512: it cannot come up`,
			Means: "localASNumber is for peers outside of the cluster.",
			Do:    "Remove it, or peer by hand on both sides.",
		},
		{
			Code: CodeNoSuchFilter, Says: `names the BGPFilter "typo", which does not exist`,
			Means: "As in Calico, its sessions run unfiltered where it would filter; --missing-filters=closed has them reject all routes.",
			Do:    "Correct the name, or create the filter.",
		},
		{
			Code: CodeNoPassword, Says: "Secret kube-system/tor, which has its password, does not exist: its sessions go without a password",
			Means: "The session is set up without one, so that it does not come up if the peer has one; --require-passwords leaves it out.",
			Do:    "Create the Secret, or its key.",
		},
		{
			Code: CodeBadPassword, Says: `its sessions are left out: the password in Secret kube-system/tor, key "pw", ...`,
			Means: "BIRD or the kernel cannot take the password.",
			Do:    "Choose another one.",
		},
		{
			Code: CodeTimeOutOfRange, Says: "its restart time of 20h0m0s is more than BGP can say: 4095 s is used",
			Means: "The nearest value that there is counts.",
			Do:    "Correct the time.",
		},
		{
			Code: CodeUnknownCommunity, Says: `prefixAdvertisements of 10.8.0.0/16: "rack" is neither a value nor the name of a community, and is left out`,
			Means: "Names are looked up in the same BGPConfiguration.",
			Do:    "Define the community there, or write its value.",
		},
		{
			Code: CodePoolRoutes, Says: "nobody programs its routes: programClusterRoutes is Disabled in the BGPConfiguration and Disabled in the FelixConfiguration",
			Means: "Routes of the pool's blocks are put into the kernel by nobody, or by both BIRD and Felix.",
			Do:    "Let one of them do it.",
		},
		{
			Code: CodeBlackhole, Says: "the blackhole route for 10.0.0.0/26 is left out: it would cut this node off from ...",
			Means: "A route that a block or a service asks for would take the way to the node's own network.",
			Do:    "Move the pool or the range away from the nodes' network.",
		},
		{
			Code: CodeListensEverywhere, Says: "its sessions have no source address, so BIRD 2 and 3 listen on every address for them, whatever bindMode says",
			Means: "BIRD 2 and 3 bind to a session's own address.",
			Do:    "Leave out sourceAddress: None where bindMode matters.", Advice: true,
		},
		{
			Code: CodeRouterIDFromName, Says: "has no IPv4 address to be its router ID: 1.2.3.4, made from its name, is used",
			Means: "BGP needs a router ID.",
			Do:    "Set CALICO_ROUTER_ID to hash, or to an IPv4 address.", Advice: true,
		},
		{
			Code: CodeLargeMesh, Says: "the node-to-node mesh has more than 100 nodes: route reflectors would spare each node most of its sessions",
			Means: "It works, and costs.",
			Do:    "See Calico's documentation on route reflectors.", Advice: true,
		},
		{
			Code: CodeServiceOutside, Says: "its cluster IP 10.200.0.1 is announced, though it lies in none of the ranges of serviceClusterIPs",
			Means: "As in Calico, a Service with externalTrafficPolicy Local has all its cluster IPs announced, once a range is named at all.",
			Do:    "Name its range, too, or have the peer filter what it takes.",
		},
		{
			Code: CodeUnknownSeverity, Says: `BGP_LOGSEVERITYSCREEN: there is no log severity "wraning": it counts as info; did you mean warning?`,
			Means: "BIRD logs as with info, as in Calico. It is the same with BGPConfiguration's logSeverityScreen.",
			Do:    "Write debug, info, warning, error, fatal or none, in upper or lower case.",
		},
		{
			Code: CodeSharedNeighbor, Says: "session Global_10_0_0_9_port_1790 waits for 10.0.0.9 to connect, as session Global_10_0_0_9_port_1179 (BGPPeer a) does on another port: BIRD gives all its connections to one of them, so only one can be up",
			Means: "BIRD knows by the address alone, and not by the port, which session a connection is for: of several with one neighbor, those that wait for it to connect can stay down.",
			Do:    "Remove one of the BGPPeers, or give them nodeSelectors, so that this node is the one that connects.",
		},
	}
}

// IsAdvice says whether nothing is wrong with what a problem tells of.
func (p Problem) IsAdvice() bool {
	return !p.LeftOut && slices.ContainsFunc(Codes(), func(i backends.CodeInfo) bool { return i.Code == p.Code && i.Advice })
}

package guard_test

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
)

// scene is something that can happen, and what becomes of it: the table in
// docs/safety.md is made from these.
type scene struct {
	what string // in words
	// before is a cluster that runs since long ago.
	before func() *backends.State
	// happens changes things, and has the last change judged.
	happens func(*world) guard.Verdict
	want    string // the Verdict's Why, or goesLive
	// because is what it names as the reason.
	because []string
}

const goesLive = "goes live"

// once has one change judged.
func once(change func(*backends.State)) func(*world) guard.Verdict {
	return func(w *world) guard.Verdict { return w.try(change) }
}

func mesh4() *backends.State  { return mesh(4, false) }
func mesh46() *backends.State { return mesh(4, true) }

// routed is a mesh with a block of node-1's and a pool.
func routed() *backends.State {
	s := mesh4()
	put(s, affinity("10.128.1.0/26"))
	return s
}

func affinity(cidr string) *backends.BlockAffinity {
	return &backends.BlockAffinity{Name: cidr, Node: "node-1", CIDR: netip.MustParsePrefix(cidr), State: "confirmed"}
}

// peered has no mesh, but BGPPeers at n routers of an AS.
func peered(n int) func() *backends.State {
	return func() *backends.State {
		s := mesh(2, false)
		off(s)
		for i := range n {
			put(s, router(i+1))
		}
		return s
	}
}

func router(i int) *backends.BGPPeer {
	return aPeer("router-"+string(rune('0'+i)), "192.0.2."+string(rune('0'+i)), 65000)
}

// secured is a mesh with a password.
func secured() *backends.State {
	s := mesh4()
	put(s, &backends.BGPConfiguration{Name: "default", NodeMeshPassword: &backends.SecretKeyRef{Name: "mesh", Key: "password"}})
	put(s, password("one"))
	return s
}

func password(text string) *backends.Secret {
	return &backends.Secret{Namespace: "kube-system", Name: "mesh", Data: map[string]string{"password": text}}
}

func unsecured(s *backends.State) {
	s.Apply(backends.Event{Key: password("").ResourceKey()})
}

// addressless takes the addresses of these nodes away.
func addressless(names ...string) func(*backends.State) {
	return func(s *backends.State) {
		for _, name := range names {
			change(s.Nodes, name, func(n *backends.Node) { n.IPv4 = backends.NodeAddress{} })
		}
	}
}

func asNumber(n uint32) func(*backends.State) {
	return func(s *backends.State) { put(s, &backends.BGPConfiguration{Name: "default", ASNumber: n}) }
}

// renumbered gives node-1 another address.
func renumbered(s *backends.State) {
	change(s.Nodes, "node-1", func(n *backends.Node) { n.IPv4 = nodeAddress("10.0.0.99/24") })
}

func without(kind backends.Kind, names ...string) func(*backends.State) {
	return func(s *backends.State) {
		for _, name := range names {
			drop(s, kind, name)
		}
	}
}

// reflecting makes nodes route reflectors, with their label.
func reflecting(names ...string) func(*backends.State) {
	return func(s *backends.State) {
		for _, name := range names {
			change(s.Nodes, name, func(n *backends.Node) {
				n.ClusterID, n.Labels = netip.MustParseAddr("1.0.0.1"), map[string]string{"rr": "yes"}
			})
		}
	}
}

func withReflectors(s *backends.State) {
	put(s, &backends.BGPPeer{Name: "reflectors", NodeSelector: "all()", PeerSelector: "has(rr)"})
}

func withFilter(rules ...backends.FilterRule) func(*backends.State) {
	return func(s *backends.State) {
		put(s, &backends.BGPFilter{Name: "rules", ImportV4: rules, ExportV4: rules})
	}
}

// filtered are routers whose sessions have a filter, which rejects one net.
func filtered() *backends.State {
	s := peered(3)()
	for name := range s.BGPPeers {
		change(s.BGPPeers, name, func(p *backends.BGPPeer) { p.Filters = []string{"rules"} })
	}
	withFilter(backends.FilterRule{CIDR: netip.MustParsePrefix("203.0.113.0/24"), Match: backends.MatchIn})(s)
	put(s, affinity("10.128.1.0/26"))
	return s
}

// served is a mesh whose node-1 tells of a Service that it has an endpoint of.
func served() *backends.State {
	s := mesh4()
	put(s, &backends.BGPConfiguration{Name: "default", ServiceExternalIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/32")}})
	put(s, &backends.Service{Namespace: "web", Name: "shop", Type: "ClusterIP", IPv4: true, Local: true,
		ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}, ExternalIPs: []netip.Addr{netip.MustParseAddr("203.0.113.1")}})
	put(s, &backends.EndpointSlice{Namespace: "web", Name: "shop-1", Service: "shop", Ready: true, Nodes: []string{"node-1"}})
	return s
}

// inAnHour is a time that an announcement can name.
const inAnHour = "2024-05-01T13:00:00Z"

// scenes are all of them: first what is held, then what is not.
func scenes() []scene {
	return append(allHeld(), allFree()...)
}

// allHeld are the scenes of what is held, allFree those of what is not.
func allHeld() []scene { return append(heldScenes(), heldForRefresh()...) }
func allFree() []scene { return append(freeScenes(), freeOfRefresh()...) }

func heldScenes() []scene {
	const three = "it would take away 3 of 3 established sessions"
	const remade3 = "it would remake 3 of 3 established sessions"
	return []scene{
		{"the mesh is switched off, with nothing in its place", mesh4, once(off), three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"`asNumber` of the default BGPConfiguration is mistyped", mesh4, once(asNumber(64521)), remade3,
			[]string{`BGPConfiguration default: asNumber was not set, is "64521"`}},
		{"`asNumber` of all BGPPeers is", peered(3), once(func(s *backends.State) {
			for name := range s.BGPPeers {
				change(s.BGPPeers, name, func(p *backends.BGPPeer) { p.ASNumber = 65001 })
			}
		}), remade3, []string{
			`BGPPeer router-1: asNumber was "65000", is "65001"`, `BGPPeer router-2: asNumber was "65000", is "65001"`, `BGPPeer router-3: asNumber was "65000", is "65001"`,
		}},
		{"the default BGPConfiguration is deleted: AS number and mesh fall back", func() *backends.State {
			s := mesh4()
			asNumber(64600)(s)
			return s
		}, once(without(backends.KindBGPConfiguration, "default")), remade3, []string{"BGPConfiguration default is gone"}},
		{"it turns into what cannot be read, where no last good one is known", func() *backends.State {
			s := mesh4()
			asNumber(64600)(s)
			return s
		}, once(func(s *backends.State) {
			key := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
			s.Apply(backends.Event{Key: key})
			s.Invalid[key] = errors.New("not JSON")
		}), remade3, []string{"BGPConfiguration default can no longer be used: not JSON"}},
		{"this node's address becomes one that none of its interfaces has", func() *backends.State { return mesh(4, true) }, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.1", "fd00::1") }
			return w.try(renumbered)
		}, "no interface of this machine has the address 10.0.0.99, which its Node says is its own: it would remake 3 of 3 established IPv4 sessions",
			[]string{"Node node-1: its IPv4 address is 10.0.0.99 now"}},
		{"it becomes another one of the machine's, which still has the old one", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.1", "10.0.0.99") }
			return w.try(renumbered)
		}, remade3, []string{"Node node-1: its IPv4 address is 10.0.0.99 now"}},
		{"it becomes the one that the machine has in the place of the old one, and `asNumber` is mistyped besides", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.99") }
			return w.down().wait(time.Minute).try(func(s *backends.State) {
				renumbered(s)
				asNumber(64521)(s)
			})
		}, remade3, []string{`BGPConfiguration default: asNumber was not set, is "64521"`, "Node node-1: its IPv4 address is 10.0.0.99 now"}},
		{"so it does, and the `peerIP` of all BGPPeers is mistyped besides", peered(3), func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.99") }
			return w.down().wait(time.Minute).try(func(s *backends.State) {
				renumbered(s)
				for name := range s.BGPPeers {
					change(s.BGPPeers, name, func(p *backends.BGPPeer) { p.PeerIP = p.PeerIP.Next().Next().Next() })
				}
			})
		}, remade3, []string{
			`BGPPeer router-1: peerIP was "192.0.2.1", is "192.0.2.4"`, `BGPPeer router-2: peerIP was "192.0.2.2", is "192.0.2.5"`,
			`BGPPeer router-3: peerIP was "192.0.2.3", is "192.0.2.6"`, "Node node-1: its IPv4 address is 10.0.0.99 now",
		}},
		{"the machine is without the node's address for a while, and the mesh is switched off", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.99") }
			return w.down().wait(time.Minute).try(off)
		}, three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"the Secret of `nodeMeshPassword` is deleted, or cannot be read any more", secured, once(unsecured), remade3, []string{"Secret kube-system/mesh is gone"}},
		{"it is, and the program was restarted meanwhile", secured, func(w *world) guard.Verdict {
			unsecured(w.store)
			return w.restart(10 * time.Minute).try(nil)
		}, remade3, []string{"Secret kube-system/mesh is gone"}},
		{"the annotation with the address is gone from all other Nodes, which are still there", mesh4, once(addressless("node-2", "node-3", "node-4")), three,
			[]string{"Node node-2: its IPv4 address 10.0.0.2 is gone", "Node node-3: its IPv4 address 10.0.0.3 is gone", "Node node-4: its IPv4 address 10.0.0.4 is gone"}},
		{"dual stack: all sessions of one address family go", mesh46, once(func(s *backends.State) {
			for name := range s.Nodes {
				if name != "node-1" {
					change(s.Nodes, name, func(n *backends.Node) { n.IPv6 = backends.NodeAddress{} })
				}
			}
		}), "it would take away 3 of 3 established IPv6 sessions", []string{"Node node-2: its IPv6 address fd00::2 is gone", "Node node-3: its IPv6 address fd00::3 is gone", "Node node-4: its IPv6 address fd00::4 is gone"}},
		{"all sessions get another name: the same peers by other objects", func() *backends.State { return mesh(4, false) }, once(func(s *backends.State) {
			off(s)
			put(s, &backends.BGPPeer{Name: "all", NodeSelector: "all()", PeerSelector: "all()"})
		}), "it would remake 3 of 3 established sessions", []string{"BGPConfiguration default: the mesh was switched off", "BGPPeer all is new"}},
		{"the last session of a kind goes (one BGPPeer beside a mesh)", func() *backends.State {
			s := mesh4()
			put(s, router(1))
			return s
		}, once(without(backends.KindBGPPeer, "router-1")), "it would take away 1 of 1 established Global sessions", []string{"BGPPeer router-1 is gone"}},
		{"BGPPeers are deleted one by one, seconds apart: from the third of four on", peered(4), func(w *world) guard.Verdict {
			w.try(without(backends.KindBGPPeer, "router-1"))
			w.wait(1300 * time.Millisecond).try(without(backends.KindBGPPeer, "router-2"))
			return w.wait(1300 * time.Millisecond).try(without(backends.KindBGPPeer, "router-3"))
		}, "it would take away 3 of 4 established sessions, with what changed in the 5 minutes before", []string{"BGPPeer router-3 is gone"}},
		{"all sessions flap, or BIRD is away for a minute, and the mesh is switched off then", mesh4, func(w *world) guard.Verdict {
			return w.down().wait(time.Minute).try(off)
		}, three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"one peer is down for a moment, and the change takes the other one away", peered(2), func(w *world) guard.Verdict {
			return w.down("Global_192_0_2_2").wait(time.Minute).try(without(backends.KindBGPPeer, "router-1"))
		}, "it would take away 1 of 1 IPv4 sessions that are up now", []string{"BGPPeer router-1 is gone"}},
		{"the node is rebooted, and the mesh switched off meanwhile", mesh4, func(w *world) guard.Verdict {
			off(w.store)
			w.down()
			return w.restart(20 * time.Minute).try(nil)
		}, three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"what is held stays held while BIRD is restarted", mesh4, func(w *world) guard.Verdict {
			w.try(off)
			return w.down().wait(time.Hour).try(nil)
		}, three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"etcd is restored from an older snapshot, which lacks two of three nodes", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Doubt = "the datastore's revision went back from 900 to 512" }
			return w.try(without(backends.KindNode, "node-3", "node-4"))
		}, "the datastore's revision went back from 900 to 512: it would take away 2 of 3 established sessions", []string{"Node node-3 is gone", "Node node-4 is gone"}},
		{"the datastore is another cluster's", func() *backends.State {
			s := routed()
			put(s, affinity("10.128.2.0/26"))
			return s
		}, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Doubt = "the datastore has another cluster ID" }
			return w.try(without(backends.KindBlockAffinity, "10.128.2.0/26"))
		}, "the datastore has another cluster ID: it would take back routes that peers are told: 1", []string{"BlockAffinity 10.128.2.0/26 is gone"}},
		{"first start over files that somebody else wrote, whose sessions are up", peered(2), func(w *world) guard.Verdict {
			w.running, w.history = guard.Side{}, guard.History{}
			w.seen = map[string]guard.Seen{"uplink": {Name: "uplink", Established: true, Neighbor: netip.MustParseAddr("192.0.2.1")},
				"lab": {Name: "lab", Established: true, Neighbor: netip.MustParseAddr("203.0.113.9")}}
			w.ask = func(q *guard.Question) {
				q.Running = nil
				q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp Global_192_0_2_1 {}"))
			}
			return w.try(nil)
		}, "it would take away 1 of 2 established sessions, and remake 1", nil},
		{"an export filter rejects everything", filtered, once(withFilter(backends.FilterRule{})),
			"the only IPv4 route that peers are told would be gone; no IPv4 route would be taken from any of 3 established sessions", []string{"BGPFilter rules changed"}},
		{"an import filter rejects everything that a family's peers tell", filtered, func(w *world) guard.Verdict {
			return w.routes(5).try(func(s *backends.State) {
				put(s, &backends.BGPFilter{Name: "rules", ImportV4: []backends.FilterRule{{RemotePeers: true}, {}}})
			})
		}, "none of the 15 IPv4 routes from peers would be left", []string{"BGPFilter rules changed"}},
		{"an import filter rejects just those routes that there are", filtered, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) {
				for _, s := range q.Seen {
					q.Routes = append(q.Routes, bgp.Route{Net: netip.MustParsePrefix("10.9.0.0/24"), Session: s.Name})
				}
			}
			return w.try(func(s *backends.State) {
				put(s, &backends.BGPFilter{Name: "rules", ImportV4: []backends.FilterRule{{CIDR: netip.MustParsePrefix("10.0.0.0/8"), Match: backends.MatchIn}}})
			})
		}, "none of the 3 IPv4 routes from peers would be left", []string{"BGPFilter rules changed"}},
		{"`disableBGPExport` is set on the pool of all blocks", routed, once(func(s *backends.State) {
			change(s.IPPools, "pool", func(p *backends.IPPool) { p.DisableBGPExport = true })
		}), "the only IPv4 route that peers are told would be gone", []string{`IPPool pool: disableBGPExport was "false", is "true"`}},
		{"all block affinities of the node are gone, while it is there (IPAM leaves a node its last one)", routed, once(without(backends.KindBlockAffinity, "10.128.1.0/26")), "the only IPv4 route that peers are told would be gone", []string{"BlockAffinity 10.128.1.0/26 is gone"}},
		{"the Service addresses that the node tells of leave the BGPConfiguration", served, once(func(s *backends.State) { put(s, &backends.BGPConfiguration{Name: "default"}) }),
			"the only IPv4 route that peers are told would be gone", []string{`BGPConfiguration default: serviceExternalIPs was "203.0.113.1/32", is not set`}},
		{"a filter keeps from peers what is all that they are told, a Service's address", func() *backends.State {
			s := served()
			put(s, router(1))
			off(s)
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) {
				c.ServiceExternalIPs = []netip.Prefix{addrPrefix("203.0.113.1/32")}
			})
			change(s.BGPPeers, "router-1", func(p *backends.BGPPeer) { p.Filters = []string{"rules"} })
			withFilter(backends.FilterRule{CIDR: addrPrefix("198.51.100.0/24"), Match: backends.MatchIn})(s)
			return s
		}, once(func(s *backends.State) {
			put(s, &backends.BGPFilter{Name: "rules", ExportV4: []backends.FilterRule{{CIDR: addrPrefix("203.0.113.0/24"), Match: backends.MatchIn}}})
		}), "the only IPv4 route that peers are told would be gone", []string{"BGPFilter rules changed"}},
		{"the session goes that all routes come by, though it is one of two", peered(2), func(w *world) guard.Verdict {
			w.routes(0)
			s := w.seen["Global_192_0_2_1"]
			s.Counts = &guard.Counts{Imported: 9}
			w.seen["Global_192_0_2_1"] = s
			return w.try(without(backends.KindBGPPeer, "router-1"))
		}, "none of the 9 IPv4 routes from peers would be left", []string{"BGPPeer router-1 is gone"}},
		{"all nodes are made route reflectors, which takes each out of the mesh", mesh4, once(reflecting("node-1", "node-2", "node-3", "node-4")), three,
			[]string{
				"Node node-1: label rr is new, it is a route reflector now, and out of the mesh", "Node node-2: label rr is new, it is a route reflector now, and out of the mesh",
				"Node node-3: label rr is new, it is a route reflector now, and out of the mesh", "Node node-4: label rr is new, it is a route reflector now, and out of the mesh",
			}},
		{"mesh to reflectors: the mesh is switched off before sessions with the reflectors are up", func() *backends.State {
			s := mesh(5, false)
			reflecting("node-2")(s)
			withReflectors(s)
			return s
		}, func(w *world) guard.Verdict { return w.down("Node_10_0_0_2").wait(10 * time.Minute).try(off) },
			"it would take away 3 of 3 established sessions", []string{"BGPConfiguration default: the mesh was switched off"}},
		{"a change is announced for longer than a day", mesh4, once(func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), Intent: backends.Intent{DisruptionUntil: "2024-05-09T00:00:00Z"}})
		}), three, []string{"BGPConfiguration default: the mesh was switched off"}},
		{"one change is announced, and another one takes sessions away", peered(3), once(func(s *backends.State) {
			asNumber(64512)(s)
			off(s)
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { announce(c, inAnHour) })
			drop(s, backends.KindBGPPeer, "router-1")
			drop(s, backends.KindBGPPeer, "router-2")
		}), "it would take away 2 of 3 established sessions", []string{"BGPPeer router-1 is gone", "BGPPeer router-2 is gone"}},
	}
}

func freeScenes() []scene {
	return []scene{
		{"a node leaves the cluster (scale-down), or all others do", mesh4, once(without(backends.KindNode, "node-2", "node-3", "node-4")), goesLive, nil},
		{"a node is deleted, and comes back with another address", func() *backends.State { return mesh(3, false) }, func(w *world) guard.Verdict {
			for _, i := range []int{2, 3} {
				name := aNode(i, false).Name
				if v := w.try(without(backends.KindNode, name)); v.Held {
					return v
				}
				v := w.wait(time.Second).try(func(s *backends.State) {
					n := aNode(i, false)
					n.IPv4 = nodeAddress("10.0.0.7" + string(rune('0'+i)) + "/24")
					put(s, n)
				})
				if v.Held {
					return v
				}
				w.settle().wait(10 * time.Second)
			}
			return w.try(without(backends.KindNode, "node-2"))
		}, goesLive, nil},
		{"this node's address becomes the one that the machine has in the place of the old one", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.99") }
			return w.try(renumbered) // BIRD has not noticed yet
		}, goesLive, nil},
		{"so it is, after it was held while the machine still had the old one", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.1", "10.0.0.99") }
			if v := w.try(renumbered); !v.Held {
				return guard.Verdict{Why: "it was not held"}
			}
			w.ask = func(q *guard.Question) { q.Local = addrs("10.0.0.99") }
			return w.down().wait(time.Hour).try(nil)
		}, goesLive, nil},
		{"all nodes have other addresses, the machines too", mesh4, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Local = addrs("10.1.0.1") }
			return w.try(func(s *backends.State) {
				for i := 1; i <= 4; i++ {
					change(s.Nodes, fmt.Sprintf("node-%d", i), func(n *backends.Node) { n.IPv4 = nodeAddress(fmt.Sprintf("10.1.0.%d/24", i)) })
				}
			})
		}, goesLive, nil},
		{"a node is drained: its blocks are given back but one, its services' endpoints move", func() *backends.State {
			s := served()
			for _, cidr := range []string{"10.128.1.0/26", "10.128.2.0/26"} {
				put(s, affinity(cidr))
			}
			return s
		}, once(func(s *backends.State) {
			drop(s, backends.KindBlockAffinity, "10.128.2.0/26")
			put(s, &backends.EndpointSlice{Namespace: "web", Name: "shop-1", Service: "shop", Ready: true, Nodes: []string{"node-2"}})
		}), goesLive, nil},
		{"all its block affinities are gone, and peers are told of its workloads one by one", routed, func(w *world) guard.Verdict {
			w.ask = func(q *guard.Question) { q.Routes = []bgp.Route{workload("10.128.1.7/32")} }
			return w.try(without(backends.KindBlockAffinity, "10.128.1.0/26"))
		}, goesLive, nil},
		{"IPAM gives the last block back in order", routed, func(w *world) guard.Verdict {
			w.try(func(s *backends.State) {
				change(s.BlockAffinities, "10.128.1.0/26", func(a *backends.BlockAffinity) { a.State = "pendingDeletion" })
			})
			return w.wait(time.Second).try(without(backends.KindBlockAffinity, "10.128.1.0/26"))
		}, goesLive, nil},
		{"the last endpoint of the only Service moves to another node", served, once(func(s *backends.State) {
			put(s, &backends.EndpointSlice{Namespace: "web", Name: "shop-1", Service: "shop", Ready: true, Nodes: []string{"node-2"}})
		}), goesLive, nil},
		{"a node is told to announce no Services any more (`exclude-from-external-load-balancers`)", served, once(func(s *backends.State) {
			change(s.Nodes, "node-1", func(n *backends.Node) { n.Labels = map[string]string{bgp.ExcludeLabel: "true"} })
		}), goesLive, nil},
		{"a Service is deleted, the only one that the node tells of", served, once(func(s *backends.State) {
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindService, Namespace: "web", Name: "shop"}})
		}), goesLive, nil},
		{"mesh to reflectors in Calico's order, on a node: reflectors are made, BGPPeers added, and when those sessions are up the mesh is switched off",
			func() *backends.State { return mesh(6, false) }, func(w *world) guard.Verdict { return toReflectors(w, "node-2", "node-3") }, goesLive, nil},
		{"the same on a reflector itself", func() *backends.State { return mesh(6, false) }, func(w *world) guard.Verdict { return toReflectors(w, "node-1", "node-2") }, goesLive, nil},
		{"planned renumbering of one peer of two", peered(2), func(w *world) guard.Verdict {
			return w.routes(3).try(func(s *backends.State) {
				change(s.BGPPeers, "router-1", func(p *backends.BGPPeer) { p.PeerIP = netip.MustParseAddr("192.0.2.101") })
			})
		}, goesLive, nil},
		{"the other one, once the first is up again", peered(2), func(w *world) guard.Verdict {
			w.routes(3).try(func(s *backends.State) {
				change(s.BGPPeers, "router-1", func(p *backends.BGPPeer) { p.PeerIP = netip.MustParseAddr("192.0.2.101") })
			})
			return w.settle().routes(3).wait(20 * time.Second).try(func(s *backends.State) {
				change(s.BGPPeers, "router-2", func(p *backends.BGPPeer) { p.PeerIP = netip.MustParseAddr("192.0.2.102") })
			})
		}, goesLive, nil},
		{"a single session gets another name, and its terms stay", func() *backends.State { return mesh(2, false) }, once(func(s *backends.State) {
			off(s)
			put(s, &backends.BGPPeer{Name: "all", NodeSelector: "all()", PeerSelector: "all()"})
		}), goesLive, nil},
		{"first boot: nothing has been up yet", mesh4, func(w *world) guard.Verdict {
			w.seen, w.running = map[string]guard.Seen{}, guard.Side{}
			w.ask = func(q *guard.Question) { q.Running = nil }
			return w.try(off)
		}, goesLive, nil},
		{"BIRD was started a moment ago, few sessions are up, and one of these goes", peered(5), func(w *world) guard.Verdict {
			w.seen = map[string]guard.Seen{"Global_192_0_2_1": w.seen["Global_192_0_2_1"]}
			w.ask = func(q *guard.Question) { q.Booted = q.Now.Add(-time.Minute) }
			return w.try(without(backends.KindBGPPeer, "router-1"))
		}, goesLive, nil},
		{"a peer reboots while another one of three is taken away", peered(3), func(w *world) guard.Verdict {
			return w.down("Global_192_0_2_3").wait(time.Minute).try(without(backends.KindBGPPeer, "router-1"))
		}, goesLive, nil},
		{"one of three goes, and another one long after", peered(3), func(w *world) guard.Verdict {
			w.try(without(backends.KindBGPPeer, "router-1"))
			return w.wait(6 * time.Minute).try(without(backends.KindBGPPeer, "router-2"))
		}, goesLive, nil},
		{"what was done is undone", peered(3), func(w *world) guard.Verdict {
			w.try(without(backends.KindBGPPeer, "router-1"))
			return w.wait(time.Second).try(func(s *backends.State) { put(s, router(1)) })
		}, goesLive, nil},
		{"filters of all sessions change, and routes stay", filtered, once(withFilter(backends.FilterRule{CIDR: netip.MustParsePrefix("203.0.113.0/25"), Match: backends.MatchIn})), goesLive, nil},
		{"any change that is announced on its object", secured, once(func(s *backends.State) {
			p := password("two")
			announce(p, inAnHour)
			put(s, p)
		}), goesLive, nil},
		{"an object that was announced, and then deleted", peered(1), func(w *world) guard.Verdict {
			w.try(func(s *backends.State) {
				change(s.BGPPeers, "router-1", func(p *backends.BGPPeer) { announce(p, inAnHour) })
			})
			return w.wait(time.Second).try(without(backends.KindBGPPeer, "router-1"))
		}, goesLive, nil},
		{"renumbering the AS, announced on the BGPConfiguration", mesh4, once(func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", ASNumber: 64600, Intent: backends.Intent{DisruptionUntil: inAnHour}})
		}), goesLive, nil},
		{"local workloads come and go", func() *backends.State {
			s := mesh(2, false)
			put(s, &backends.BGPPeer{Name: "local", LocalWorkloadSelector: "all()", ASNumber: 65000})
			put(s, &backends.EndpointStatus{Name: "w", Interface: "cali1", IPv4: netip.MustParseAddr("10.128.1.7"), BGPPeer: "local"})
			return s
		}, once(without(backends.KindEndpointStatus, "w")), goesLive, nil},
	}
}

// toReflectors goes from the mesh to reflectors, a minute a step.
func toReflectors(w *world, names ...string) guard.Verdict {
	steps := []func(*backends.State){reflecting(names[0]), reflecting(names[1]), withReflectors, off}
	var v guard.Verdict
	for _, step := range steps {
		if v = w.try(step); v.Held {
			return v
		}
		w.settle().wait(time.Minute)
	}
	return v
}

func addrPrefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}

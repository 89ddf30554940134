package templates

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"

	"confd/bgp"
)

// peerValue is a session in the key tree.
type peerValue struct {
	IP              netip.Addr `json:"ip"`
	ASNumber        string     `json:"as_num"`
	LocalASNumber   string     `json:"local_as_num"` // "0" where it is the node's
	RRClusterID     string     `json:"rr_cluster_id"`
	Password        string     `json:"password"`
	SourceAddr      string     `json:"source_addr"`
	RestartTime     string     `json:"restart_time"`
	KeepaliveTime   string     `json:"keepalive_time"`
	Port            uint16     `json:"port"`
	KeepNextHop     bool       `json:"keep_next_hop"`
	CalicoNode      bool       `json:"calico_node"`
	NumAllowLocalAS uint32     `json:"num_allow_local_as"`
	TTLSecurity     uint8      `json:"ttl_security"`
	Filters         []string   `json:"filters"`
	ReachableBy     string     `json:"reachable_by"`
	Passive         bool       `json:"passive_mode"`
	LocalBGPPeer    bool       `json:"local_bgp_peer"`
	NextHopMode     string     `json:"next_hop_mode"`
}

// peers writes the sessions that wanted accepts below key.
func (b treeBuilder) peers(p *pairs, key string, wanted func(*bgp.Session) bool) error {
	for _, f := range b.config.Families() {
		for _, s := range f.Sessions {
			if !wanted(s) {
				continue
			}
			value, err := newPeerValue(s)
			if err != nil {
				return err
			}
			// Templates make such global peers passive by address, which is for those
			// that a peerIP names alone.
			peer, ok := b.state.BGPPeers[s.Reason.Object.Name]
			value.CalicoNode = s.PeerNode != "" && (!ok || peer.PeerIP.IsValid())
			text, err := json.Marshal(value)
			if err != nil {
				return fmt.Errorf("session %s: %w", s.Name, err)
			}
			name := s.Neighbor.String()
			if s.PortInName {
				name += "-" + number32(s.Port)
			}
			p.add(string(text), key, "/peer_v", strconv.Itoa(f.Version), "/", name)
		}
	}
	return nil
}

func newPeerValue(s *bgp.Session) (peerValue, error) {
	password, err := passwordText(s)
	if err != nil {
		return peerValue{}, err
	}
	v := peerValue{
		IP: s.Neighbor, ASNumber: number32(s.AS), LocalASNumber: "0", RRClusterID: addressText(s.PeerClusterID),
		Password: password, SourceAddr: "UseNodeIP",
		RestartTime: optional(s.GracefulRestartTime), KeepaliveTime: optional(s.KeepaliveTime),
		Port: s.Port, KeepNextHop: s.NextHop == bgp.NextHopKeep,
		TTLSecurity: s.TTLHops, Filters: filterWords(s.Filters), ReachableBy: addressText(s.ReachableBy),
		LocalBGPPeer: s.Kind == bgp.LocalWorkloadSession, NextHopMode: string(s.NextHopMode),
	}
	// Where a peer is one of the nodes templates say "passive on" themselves, by
	// its address.
	v.Passive = v.LocalBGPPeer
	if s.OwnLocalAS {
		v.LocalASNumber = number32(s.LocalAS)
	}
	if !s.Source.IsValid() {
		v.SourceAddr = "None"
	}
	if s.AllowLocalAS != nil {
		v.NumAllowLocalAS = *s.AllowLocalAS
	}
	return v, nil
}

func filterWords(names []string) []string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = filterWord(name)
	}
	return words
}

// passwordText is a session's password as templates put it between quotation
// marks; one that could end the string is an error.
func passwordText(s *bgp.Session) (string, error) {
	if _, err := quote(s.Password); err != nil {
		return "", fmt.Errorf("password of session %s: %w", s.Name, err)
	}
	return s.Password, nil
}

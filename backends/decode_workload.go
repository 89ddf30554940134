package backends

import "net/netip"

// DecodeEndpointStatus reads a file of the endpoint status folder, of that
// name: JSON {"ifaceName", "ipv4Nets", "ipv6Nets", "bgpPeerName"}. A workload
// that takes no part in BGP gives ErrNotOurs.
func DecodeEndpointStatus(name string, data []byte) (*EndpointStatus, error) {
	object, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	r := newReader(object)
	s := &EndpointStatus{
		Name:      name,
		Interface: r.get("ifaceName").interfaceName(),
		IPv4:      r.get("ipv4Nets").firstAddr(4),
		IPv6:      r.get("ipv6Nets").firstAddr(6),
		BGPPeer:   r.get("bgpPeerName").text(),
	}
	if r.get("bgpPeerName").empty() {
		return nil, ErrNotOurs
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return s, nil
}

// firstAddr reads the first of a list of addresses, with prefix length or
// without.
func (f field) firstAddr(version int) netip.Addr {
	list := f.list()
	if len(list) == 0 {
		return netip.Addr{}
	}
	return list[0].nodeAddress(version).Addr
}

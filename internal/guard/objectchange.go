package guard

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// describeChange says what happened to an object, after its name.
func describeChange(before, after *backends.State, key backends.Key) string {
	was, had := before.Get(key)
	is, has := after.Get(key)
	err, bad := after.Invalid[key]
	var closed *backends.Closed
	switch {
	case errors.As(err, &closed) && !after.Stale[key]:
		return ": " + err.Error()
	case !has && bad:
		return fmt.Sprintf(" can no longer be used: %v", err)
	case !has:
		return " is gone"
	case !had && key.Kind == backends.KindBGPConfiguration:
		return orElse(configurationChange(&backends.BGPConfiguration{}, is.(*backends.BGPConfiguration)), " is new")
	case !had:
		return " is new"
	}
	var text string
	switch is := is.(type) {
	case *backends.BGPConfiguration:
		text = configurationChange(was.(*backends.BGPConfiguration), is)
	case *backends.BGPPeer:
		text = peerChange(was.(*backends.BGPPeer), is)
	case *backends.Node:
		text = nodeChange(was.(*backends.Node), is)
	case *backends.IPPool:
		text = poolChange(was.(*backends.IPPool), is)
	case *backends.BlockAffinity:
		text = fmt.Sprintf("its state is %q now", is.State)
	}
	return orElse(text, " changed")
}

// orElse is what happened to an object, in detail where that is known.
func orElse(detail, otherwise string) string {
	if detail == "" {
		return otherwise
	}
	return ": " + detail
}

// field is one field of an object, before and after, as text.
type field struct{ name, was, is string }

// fieldChanges says which of them changed, and how.
func fieldChanges(fields []field) string {
	var parts []string
	for _, f := range fields {
		if f.was != f.is {
			parts = append(parts, fmt.Sprintf("%s was %s, is %s", f.name, quotedOr(f.was), quotedOr(f.is)))
		}
	}
	return strings.Join(parts, ", ")
}

func quotedOr(text string) string {
	if text == "" {
		return "not set"
	}
	return fmt.Sprintf("%q", printed(text))
}

// numberText is empty for a number that is not set.
func numberText[N uint8 | uint16 | uint32](n N) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func secretText(ref *backends.SecretKeyRef) string {
	if ref == nil {
		return ""
	}
	return ref.Name + "/" + ref.Key
}

func configurationChange(was, is *backends.BGPConfiguration) string {
	var parts []string
	switch on := meshOn(is); {
	case meshOn(was) && !on:
		parts = append(parts, "the mesh was switched off")
	case !meshOn(was) && on:
		parts = append(parts, "the mesh was switched on")
	}
	if text := fieldChanges([]field{
		{"asNumber", numberText(was.ASNumber), numberText(is.ASNumber)},
		{"listenPort", numberText(was.ListenPort), numberText(is.ListenPort)},
		{"nodeMeshPassword", secretText(was.NodeMeshPassword), secretText(is.NodeMeshPassword)},
		{"serviceClusterIPs", netsText(was.ServiceClusterIPs), netsText(is.ServiceClusterIPs)},
		{"serviceExternalIPs", netsText(was.ServiceExternalIPs), netsText(is.ServiceExternalIPs)},
		{"serviceLoadBalancerIPs", netsText(was.ServiceLoadBalancerIPs), netsText(is.ServiceLoadBalancerIPs)},
	}); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func netsText(nets []netip.Prefix) string {
	texts := make([]string, len(nets))
	for i, n := range nets {
		texts[i] = n.String()
	}
	return strings.Join(texts, ",")
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func peerChange(was, is *backends.BGPPeer) string {
	return fieldChanges([]field{
		{"node", was.Node, is.Node}, {"nodeSelector", was.NodeSelector, is.NodeSelector},
		{"peerSelector", was.PeerSelector, is.PeerSelector}, {"peerIP", addrText(was.PeerIP), addrText(is.PeerIP)},
		{"port", numberText(was.Port), numberText(is.Port)},
		{"asNumber", numberText(was.ASNumber), numberText(is.ASNumber)},
		{"localASNumber", numberText(was.LocalASNumber), numberText(is.LocalASNumber)},
		{"password", secretText(was.Password), secretText(is.Password)},
		{"ttlSecurity", numberText(was.TTLSecurity), numberText(is.TTLSecurity)},
		{"filters", strings.Join(was.Filters, ","), strings.Join(is.Filters, ",")},
	})
}

func poolChange(was, is *backends.IPPool) string {
	return fieldChanges([]field{
		{"cidr", was.CIDR.String(), is.CIDR.String()},
		{"disableBGPExport", fmt.Sprint(was.DisableBGPExport), fmt.Sprint(is.DisableBGPExport)},
	})
}

func nodeChange(was, is *backends.Node) string {
	parts := labelChanges(was.Labels, is.Labels)
	switch {
	case was.ClusterID == is.ClusterID:
	case !is.ClusterID.IsValid():
		parts = append(parts, "it is no route reflector any more")
	case !was.ClusterID.IsValid():
		parts = append(parts, "it is a route reflector now, and out of the mesh")
	default:
		parts = append(parts, "its cluster ID changed")
	}
	if text := fieldChanges([]field{{"its AS number", numberText(was.ASNumber), numberText(is.ASNumber)}}); text != "" {
		parts = append(parts, text)
	}
	for _, version := range []int{4, 6} {
		old, now := addressOf(was, version), addressOf(is, version)
		switch {
		case old == now:
		case !now.IsValid():
			parts = append(parts, fmt.Sprintf("its IPv%d address %s is gone", version, old))
		default:
			parts = append(parts, fmt.Sprintf("its IPv%d address is %s now", version, now))
		}
	}
	return strings.Join(parts, ", ")
}

func labelChanges(was, is map[string]string) []string {
	var parts []string
	for _, label := range slices.Sorted(maps.Keys(both(was, is))) {
		old, had := was[label]
		switch now, has := is[label]; {
		case had && has && old == now:
		case !has:
			parts = append(parts, fmt.Sprintf("label %s is gone", quietly(label)))
		case !had:
			parts = append(parts, fmt.Sprintf("label %s is new", quietly(label)))
		default:
			parts = append(parts, fmt.Sprintf("label %s was %q, is %q", quietly(label), old, now))
		}
	}
	return parts
}

func both(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, b)
	return all
}

func addressOf(n *backends.Node, family int) netip.Addr {
	if family == 4 {
		return n.IPv4.Addr
	}
	return n.IPv6.Addr
}

// quietly quotes a name only where it needs it.
func quietly(name string) string {
	if q := fmt.Sprintf("%q", name); q != `"`+name+`"` {
		return q
	}
	return name
}

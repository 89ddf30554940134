package backends

import (
	"fmt"
	"net/netip"
)

// PoolEvent is the event of an IP pool in the form of Calico's key-value model,
// where it has no name: family is "v4" or "v6" and block "ADDR-LEN", from its key,
// which it goes by here; value is JSON {"cidr", "ipip_mode", "vxlan_mode", ...}.
// What such a pool does not say (its block size) counts as unset.
func PoolEvent(family, block string, value []byte) Event {
	e := Event{Key: Key{Kind: KindIPPool, Name: block}}
	cidr, err := poolCIDR(family, block)
	if err != nil {
		e.Err = err
		return e
	}
	spec, err := specOfPool(cidr, value)
	if err != nil {
		return ClosedPool(family, block, err)
	}
	e.Resource, e.Err = DecodeObject(KindIPPool, block, map[string]any{"spec": spec})
	return e
}

// ClosedPool is the event of such a pool that cannot be used, with the reason.
func ClosedPool(family, block string, why error) Event {
	e := Event{Key: Key{Kind: KindIPPool, Name: block}, Err: why}
	if cidr, err := poolCIDR(family, block); err == nil {
		e.Resource, e.Err = closed(&IPPool{Name: block, CIDR: cidr}, why)
	}
	return e
}

func poolCIDR(family, block string) (netip.Prefix, error) {
	cidr, err := ParseBlockKey(block)
	if err == nil && cidr.Addr().Is4() != (family == "v4") {
		err = fmt.Errorf("pool %q stands in the folder of %s", block, family)
	}
	return cidr, err
}

// specOfPool gives a pool the form of the v3 resource, which has all checks.
func specOfPool(cidr netip.Prefix, value []byte) (map[string]any, error) {
	if len(value) > MaxObjectBytes {
		return nil, fmt.Errorf("the value has %d bytes; more than %d are not read", len(value), MaxObjectBytes)
	}
	old, err := parseJSON(value)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{"cidr": cidr.String()}
	for from, to := range map[string]string{"ipip_mode": "ipipMode", "vxlan_mode": "vxlanMode"} {
		spec[to] = encapsulation(old[from])
	}
	if spec["ipipMode"] == string(EncapNever) && old["ipip"] == "tunl0" {
		spec["ipipMode"] = string(EncapAlways) // a tunnel, and no word about when
	}
	for from, to := range map[string]string{"disabled": "disabled", "disableBGPExport": "disableBGPExport", "masquerade": "natOutgoing"} {
		if v, ok := old[from]; ok {
			spec[to] = v
		}
	}
	return spec, nil
}

// encapsulation is the v3 resource's word for one of the older model's; one that is
// not known stays what it is.
func encapsulation(v any) any {
	switch v {
	case nil, "":
		return string(EncapNever)
	case "always":
		return string(EncapAlways)
	case "cross-subnet":
		return string(EncapCrossSubnet)
	}
	return v
}

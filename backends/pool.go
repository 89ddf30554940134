package backends

import (
	"errors"
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
	p, err := decodePool(block, cidr, value)
	e.Resource, e.Err = p, err
	if err != nil {
		e.Resource, e.Err = closed(&IPPool{Name: block, CIDR: cidr}, err)
	}
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

// decodePool gives the pool the form of the v3 resource, which has all checks.
func decodePool(name string, cidr netip.Prefix, value []byte) (*IPPool, error) {
	if len(value) > MaxObjectBytes {
		return nil, fmt.Errorf("the value has %d bytes; more than %d are not read", len(value), MaxObjectBytes)
	}
	old, err := parseJSON(value)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{"cidr": cidr.String()}
	for from, to := range map[string]string{"ipip_mode": "ipipMode", "vxlan_mode": "vxlanMode"} {
		mode, err := encapsulation(old[from])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		spec[to] = mode
	}
	if spec["ipipMode"] == string(EncapNever) && old["ipip"] == "tunl0" {
		spec["ipipMode"] = string(EncapAlways) // a tunnel, and no word about when
	}
	for from, to := range map[string]string{"disabled": "disabled", "disableBGPExport": "disableBGPExport", "masquerade": "natOutgoing"} {
		if v, ok := old[from]; ok {
			spec[to] = v
		}
	}
	r, err := DecodeObject(KindIPPool, name, map[string]any{"metadata": map[string]any{}, "spec": spec})
	if err != nil {
		return nil, err
	}
	p, ok := r.(*IPPool)
	if !ok {
		return nil, errors.New("is no pool")
	}
	return p, nil
}

// encapsulation is the v3 resource's word for one of the older model's.
func encapsulation(v any) (string, error) {
	switch v {
	case nil, "":
		return string(EncapNever), nil
	case "always":
		return string(EncapAlways), nil
	case "cross-subnet":
		return string(EncapCrossSubnet), nil
	}
	return "", fmt.Errorf("%s is not known", quoted(v))
}

package backends

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// NamedCommunity is an entry of BGPConfiguration spec.communities.
type NamedCommunity struct {
	Name  string
	Value Community
}

// PrefixAdvertisement adds communities to routes inside CIDR. A community is a
// name of spec.communities, or a value.
type PrefixAdvertisement struct {
	CIDR        netip.Prefix
	Communities []string
}

// Community is a standard community A:B (RFC 1997; both 16 bits), or a large
// one A:B:C (RFC 8092; 32 bits each).
type Community struct {
	Large   bool
	A, B, C uint32
}

// String is "A:B" or "A:B:C".
func (c Community) String() string {
	if c.Large {
		return fmt.Sprintf("%d:%d:%d", c.A, c.B, c.C)
	}
	return fmt.Sprintf("%d:%d", c.A, c.B)
}

// ParseCommunity reads "a:b" or "a:b:c".
func ParseCommunity(s string) (Community, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return Community{}, fmt.Errorf("community %q is neither a:b nor a:b:c", s)
	}
	bits := 16
	if len(parts) == 3 {
		bits = 32
	}
	var v [3]uint32
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, bits)
		if err != nil {
			return Community{}, fmt.Errorf("community %q: %q is not a number of %d bits", s, p, bits)
		}
		v[i] = uint32(n)
	}
	return Community{Large: len(parts) == 3, A: v[0], B: v[1], C: v[2]}, nil
}

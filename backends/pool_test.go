package backends

import (
	"errors"
	"fmt"
	"testing"
)

// TestPoolEvent reads pools that have no name.
func TestPoolEvent(t *testing.T) {
	for _, c := range []struct{ family, block, value, want string }{
		{"v4", "10.0.0.0-9", `{"cidr":"10.0.0.0/9","ipip":"tunl0","ipip_mode":"cross-subnet","vxlan_mode":"","masquerade":true,"ipam":false,"disabled":true,"disableBGPExport":true}`, "10.0.0.0/9 CrossSubnet Never true true true"},
		{"v4", "10.0.0.0-9", `{"ipip":"","ipip_mode":"","vxlan_mode":"always"}`, "10.0.0.0/9 Never Always false false false"},
		{"v4", "10.0.0.0-9", `{"ipip":"tunl0","ipip_mode":""}`, "10.0.0.0/9 Always Never false false false"},
		{"v6", "fd80::-48", `{"vxlan_mode":"cross-subnet"}`, "fd80::/48 Never CrossSubnet false false false"},
		// What cannot be used keeps BIRD from its routes.
		{"v4", "10.0.0.0-9", `{"ipip_mode":"sometimes","disableBGPExport":true}`, "10.0.0.0/9 Never Always false false true: spec.ipipMode: \"sometimes\" is none of [Never Always CrossSubnet]"},
		{"v4", "10.0.0.0-9", `{"vxlan_mode":7}`, "10.0.0.0/9 Never Always false false false: spec.vxlanMode: 7 is none of [Never Always CrossSubnet]"},
		{"v4", "10.0.0.0-9", `{"ipip_mode":"always","vxlan_mode":"always"}`, "10.0.0.0/9 Never Always false false false: spec: has both ipipMode Always and vxlanMode Always"},
		{"v6", "fd80::-48", `{"ipip_mode":"always"}`, "fd80::/48 Never Always false false false: spec.ipipMode: Always does not exist for IPv6 (fd80::/48)"},
		{"v4", "10.0.0.0-9", `[`, "10.0.0.0/9 Never Always false false false: not JSON: unexpected EOF"},
		{"v4", "10.0.0.0-9", `{"disableBGPExport":"x"}`, "10.0.0.0/9 Never Always false false true: spec.disableBGPExport: \"x\" is not true or false"},
		{"v6", "10.0.0.0-9", `{}`, "none: pool \"10.0.0.0-9\" stands in the folder of v6"},
		{"v4", "10.0.0.0/9", `{}`, "none: block \"10.0.0.0/9\" is not an address, a dash and a prefix length"},
	} {
		e := PoolEvent(c.family, c.block, []byte(c.value))
		if e.Key != (Key{Kind: KindIPPool, Name: c.block}) {
			t.Errorf("%s goes by %s", c.block, e.Key)
		}
		if got := poolText(e); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.block, c.value, got, c.want)
		}
	}
	if got := poolText(ClosedPool("v4", "10.0.0.0-9", errors.New("no reason"))); got != "10.0.0.0/9 Never Always false false false: no reason" {
		t.Errorf("closed it is %s", got)
	}
}

func poolText(e Event) string {
	text := "none"
	if p, ok := e.Resource.(*IPPool); ok {
		text = fmt.Sprint(p.CIDR, " ", p.IPIP, " ", p.VXLAN, " ", p.NATOutgoing, " ", p.Disabled, " ", p.DisableBGPExport)
	}
	if e.Err != nil {
		why := e.Err
		if closed := (*Closed)(nil); errors.As(why, &closed) {
			why = closed.Err
		}
		text += ": " + why.Error()
	}
	return text
}

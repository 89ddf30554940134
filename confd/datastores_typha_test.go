package main

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"confd/backends"
	"confd/backends/typha/typhatest"
)

// startTypha runs a Typha server.
func startTypha(t *testing.T, o typhatest.Options) *typhatest.Server {
	t.Helper()
	s, err := typhatest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// typhaWriter makes a Typha server say what a cluster is.
type typhaWriter struct {
	server *typhatest.Server
	said   map[string]string
}

func newTyphaWriter(s *typhatest.Server) *typhaWriter {
	return &typhaWriter{server: s, said: map[string]string{}}
}

// write tells the clients how c differs from the cluster before.
func (w *typhaWriter) write(t *testing.T, c cluster) {
	t.Helper()
	now := map[string]string{}
	for k, r := range c {
		key, value, err := inTypha(change{k, r})
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			now[key] = value
		}
	}
	for key := range w.said {
		if _, stays := now[key]; !stays {
			w.server.Delete(key)
		}
	}
	for key, value := range now {
		if old, had := w.said[key]; !had || old != value {
			w.server.Set(key, value)
		}
	}
	w.said = now
}

// inTypha is where and how Typha has an object; no key: it does not carry the kind.
func inTypha(c change) (key, value string, err error) {
	switch r := c.resource.(type) {
	case *backends.FelixConfiguration:
		return "", "", nil
	case *backends.IPPool:
		return typhaPool(r)
	}
	return inEtcd(c)
}

// typhaPool is a pool in the older form, without a name.
func typhaPool(p *backends.IPPool) (key, value string, err error) {
	mode := func(e backends.Encapsulation) string {
		return map[backends.Encapsulation]string{backends.EncapAlways: "always", backends.EncapCrossSubnet: "cross-subnet"}[e]
	}
	device := ""
	if mode(p.IPIP) != "" {
		device = "tunl0"
	}
	text, err := json.Marshal(map[string]any{
		"cidr": p.CIDR, "ipip": device, "ipip_mode": mode(p.IPIP), "vxlan_mode": mode(p.VXLAN), "masquerade": p.NATOutgoing, "ipam": !p.Disabled,
		"disabled": p.Disabled, "disableBGPExport": p.DisableBGPExport, "assignment_mode": "Automatic",
	})
	family := map[bool]string{true: "v4", false: "v6"}[p.CIDR.Addr().Is4()]
	return "/calico/v1/ipam/" + family + "/pool/" + typhaName(p), string(text), err
}

// typhaName is what a pool goes by that has no name.
func typhaName(p *backends.IPPool) string { return strings.Replace(p.CIDR.String(), "/", "-", 1) }

// throughTypha is a cluster as Typha says it: pools go by their nets. One that makes
// no sense comes as one of which nothing is known, which is for other tests: here it
// does.
func throughTypha(c cluster) cluster {
	said := maps.Clone(c)
	maps.DeleteFunc(said, func(k backends.Key, _ backends.Resource) bool { return k.Kind == backends.KindIPPool })
	for _, r := range c {
		if p, ok := plain(r).(*backends.IPPool); ok {
			named := *p
			named.Name = typhaName(p)
			said.add(&named)
		}
	}
	return said
}

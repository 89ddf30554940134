package settings

import (
	"strings"
	"testing"
	"time"
)

// TestTypha: three prefixes, of which the first that is set counts; empty variables
// and those that say none are not set; flags win.
func TestTypha(t *testing.T) {
	for name, c := range map[string]struct {
		env   map[string]string
		flags Layer
		want  Typha
	}{
		"nothing": {},
		"all of one": {
			env: map[string]string{
				"FELIX_TYPHAK8SSERVICENAME": "calico-typha", "FELIX_TYPHAK8SNAMESPACE": "calico-system", "FELIX_TYPHAREADTIMEOUT": "45", "FELIX_TYPHAWRITETIMEOUT": "2.5",
				"FELIX_TYPHAKEYFILE": "/k", "FELIX_TYPHACERTFILE": "/c", "FELIX_TYPHACAFILE": "/ca", "FELIX_TYPHACN": "typha-server", "FELIX_TYPHAURISAN": "spiffe://x",
			},
			want: Typha{
				Service: "calico-typha", Namespace: "calico-system", ReadTimeout: 45 * time.Second, WriteTimeout: 2500 * time.Millisecond,
				KeyFile: "/k", CertFile: "/c", CAFile: "/ca", CN: "typha-server", URISAN: "spiffe://x",
			},
		},
		"the first that is set": {
			env: map[string]string{
				"CONFD_TYPHAADDR": "a:1", "FELIX_TYPHAADDR": "b:1", "CALICO_TYPHAADDR": "c:1",
				"CONFD_TYPHACN": "", "FELIX_TYPHACN": "None", "CALICO_TYPHACN": "third", "CONFD_TYPHAK8SNAMESPACE": "none",
			},
			want: Typha{Addr: "a:1", CN: "third"},
		},
		"a flag": {
			env:   map[string]string{"FELIX_TYPHAADDR": "b:1", "FELIX_TYPHAK8SSERVICENAME": "s"},
			flags: Layer{"typha-addr": {Text: "none"}, "typha-service": {Text: ""}, "typha-read-timeout": {Text: "1m"}},
			want:  Typha{ReadTimeout: time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"ETCD_ENDPOINTS": "http://a:2379"}
			for k, v := range c.env {
				env[k] = v
			}
			s, err := Load(c.flags, around(env))
			if err != nil {
				t.Fatal(err)
			}
			if c.want.Namespace == "" {
				c.want.Namespace = "kube-system"
			}
			if c.want.ReadTimeout == 0 {
				c.want.ReadTimeout = 30 * time.Second
			}
			if c.want.WriteTimeout == 0 {
				c.want.WriteTimeout = 10 * time.Second
			}
			if s.Typha != c.want {
				t.Errorf("got  %+v\nwant %+v", s.Typha, c.want)
			}
		})
	}
}

// TestTyphaAndTheDatastore: with Typha, etcd's own address is not needed.
func TestTyphaAndTheDatastore(t *testing.T) {
	if _, err := Load(Layer{"typha-addr": {Text: "a:5473"}}, around(nil)); err != nil {
		t.Error(err)
	}
	if _, err := Load(Layer{"typha-addr": {Text: "none"}}, around(nil)); err == nil {
		t.Error("no Typha, and no etcd, is good")
	}
	for _, flags := range []Layer{
		{"typha-addr": {Text: "a:1"}, "typha-read-timeout": {Text: "0"}},
		{"typha-addr": {Text: "a:1"}, "typha-read-timeout": {Text: "NaN"}}, {"typha-addr": {Text: "a:1"}, "typha-write-timeout": {Text: "1e40"}},
	} {
		if _, err := Load(flags, around(nil)); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%v: %v", flags, err)
		}
	}
}

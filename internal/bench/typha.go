package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"confd/backends/typha/typhatest"
	"confd/internal/testenv"
)

// typhaStore is a cluster behind a Typha server of the tests': its work is not
// measured.
func typhaStore(keys map[string]string) (store, error) {
	server, err := typhatest.Start(typhatest.Options{})
	if err != nil {
		return store{}, err
	}
	set := func(keys map[string]string) error {
		for key, value := range keys {
			key, value, err := inTypha(key, value)
			if err != nil {
				return err
			}
			server.Set(key, value)
		}
		return nil
	}
	add := func(_ int, objects []testenv.Object) error { return set(testenv.EtcdKeys(objects)) }
	return store{name: "Typha", args: []string{"--datastore", "etcdv3", "--typha-addr", server.Address()}, add: add, stop: server.Stop}, set(keys)
}

// inTypha is how Typha has what etcd has: IP pools by their nets.
func inTypha(key, value string) (string, string, error) {
	if !strings.Contains(key, "/ippools/") {
		return key, value, nil
	}
	var pool struct {
		Spec struct {
			CIDR        string `json:"cidr"`
			IPIP        string `json:"ipipMode"`
			VXLAN       string `json:"vxlanMode"`
			NATOutgoing bool   `json:"natOutgoing"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(value), &pool); err != nil {
		return "", "", err
	}
	mode := map[string]string{"Always": "always", "CrossSubnet": "cross-subnet"}
	family := "v4"
	if strings.Contains(pool.Spec.CIDR, ":") {
		family = "v6"
	}
	return "/calico/v1/ipam/" + family + "/pool/" + strings.Replace(pool.Spec.CIDR, "/", "-", 1),
		fmt.Sprintf(`{"cidr":%q,"ipip_mode":%q,"vxlan_mode":%q,"masquerade":%t}`, pool.Spec.CIDR, mode[pool.Spec.IPIP], mode[pool.Spec.VXLAN], pool.Spec.NATOutgoing), nil
}

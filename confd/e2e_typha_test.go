package main_test

import (
	"net/http"
	"strings"
	"testing"

	"confd/backends/typha/typhatest"
	"confd/internal/testenv"
)

// TestEndToEndTypha drives the program through Typha servers.
func TestEndToEndTypha(t *testing.T) {
	t.Parallel()
	runScenarios(t,
		scenario{"restarts", testTyphaRestarts},
		scenario{"once", testTyphaOnce},
	)
}

const typhaPoolKey, typhaPool = "/calico/v1/ipam/v4/pool/10.128.0.0-9", `{"cidr":"10.128.0.0/9","ipip":"","ipip_mode":"","vxlan_mode":"","masquerade":true,"ipam":true,"disabled":false,"disableBGPExport":false}`

// startTypha runs a server that knows some objects.
func startTypha(t *testing.T, objects ...object) *typhatest.Server {
	t.Helper()
	s, err := typhatest.Start(typhatest.Options{Version: "v3.33"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.Set(typhaPoolKey, typhaPool)
	for _, o := range objects {
		s.Set(o.key(), o.json())
	}
	return s
}

// testTyphaRestarts has servers go and come back: no session takes part in that.
func testTyphaRestarts(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD).listen()
	r.startPeers(3, 64512, "")
	server := startTypha(t, lone(1), lone(2), lone(3))
	r.env["FELIX_TYPHAADDR"], r.env["CONFD_TYPHAADDR"] = server.Address(), "none"
	sessions := mesh4Sessions(2, 3)
	c := r.startEstablished(sessions)

	r.still("a rolling update", func() {
		for i := range 3 {
			server.Stop()
			if err := server.Resume(); err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, patience, "the program to be back", func() bool { return server.Hellos() == i+2 && server.Clients() == 1 })
			if code, body := r.get("/readyz"); code != http.StatusOK {
				t.Errorf("it is not ready: %s", body)
			}
		}
	})
	r.still("no server for long", func() {
		server.Stop()
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "datastore typha is out of step", "connection refused")
		r.awaitEstablished(sessions...)
		if got := r.once("status"); !strings.Contains(got.stdout, "typha is not in step") {
			t.Errorf("status says:\n%s", got.stdout)
		}
		server.Forget(lone(3).key())
		server.Set(lone(3).key(), "") // invalid: its last good version stays
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "Node node-3", "found to be invalid by Typha", "the last good version of it stays")
		server.Set(lone(3).key(), lone(3).json())
		r.awaitReady()
	})
	r.awaitAnswer("/readyz?verbose", http.StatusOK, "source typha: in step", "server "+server.Address()+" (v3.33) since 20")
	if got := r.metric(`confd_source_server_info{server="` + server.Address() + `",source="typha",version="v3.33"}`); got != 1 {
		t.Errorf("the server's metric is %v", got)
	}
	if got := r.once("status"); !strings.Contains(got.stdout, "typha: reads through "+server.Address()+" (v3.33) since ") {
		t.Errorf("status says:\n%s", got.stdout)
	}

	server.Stop()
	server.Delete(lone(3).key())
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	r.awaitEstablished(mesh4Sessions(2)...)
	c.stop()
}

// testTyphaOnce renders through Typha the same as from files, and says why it
// cannot.
func testTyphaOnce(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	server := startTypha(t, lone(1), lone(2))
	r.env["CALICO_TYPHAADDR"] = server.Address()
	through := r.once("render")
	through.want(t, 0)
	if exported := r.once("export"); exported.code != 0 || !strings.Contains(exported.stdout, "10.128.0.0/9") {
		t.Errorf("export ends with %d: %s", exported.code, exported.stderr)
	}
	server.Set(lone(1).key(), `{"metadata":{"name":"node-1"},"spec":{"bgp":{"ipv4Address":"10.0.0.1/24"}},"status":{"podCIDRs":["10.128.7.0/24"]}}`)
	server.Set("/calico/ipam/v2/host/node-1/ipv4/block/10.128.9.0-26", `{"state":"confirmed","deleted":false}`)
	if got := r.once("render", "--use-pod-cidr"); !strings.Contains(got.stdout, "10.128.7.0/24") || strings.Contains(got.stdout, "10.128.9.0/26") {
		t.Errorf("with podCIDRs it is\n%s", got.stdout)
	}
	if got := r.once("render"); strings.Contains(got.stdout, "10.128.7.0/24") || !strings.Contains(got.stdout, "10.128.9.0/26") {
		t.Errorf("with blocks it is\n%s", got.stdout)
	}
	server.Stop()
	r.once("render", "--sync-timeout", "1s").want(t, 1, "did not arrive within 1s", "typha at "+server.Address(), "connection refused")
	r.env["CALICO_TYPHACAFILE"] = "/nowhere"
	r.once("render").want(t, 2, "TYPHACAFILE given without TYPHAKEYFILE, TYPHACERTFILE, TYPHACN or TYPHAURISAN")
	delete(r.env, "CALICO_TYPHACAFILE")
	delete(r.env, "CALICO_TYPHAADDR")
	r.env["CALICO_TYPHAK8SSERVICENAME"] = "calico-typha"
	r.once("render").want(t, 2, "there is no API server to ask")
	delete(r.env, "CALICO_TYPHAK8SSERVICENAME")
	r.useFiles([]object{pool("Never"), lone(1), lone(2)})
	direct := r.once("render")
	direct.want(t, 0)
	if named := strings.ReplaceAll(direct.stdout, "ool workloads", "ool 10.128.0.0-9"); named != through.stdout {
		t.Errorf("through Typha it is\n%s\nand from files\n%s", through.stdout, direct.stdout)
	}
}

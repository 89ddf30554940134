package lab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
)

// filterOf is a BGPFilter that keeps one more network out.
const filterOf = `kind: BGPFilter
metadata: {name: import}
spec: {importV4: [{cidr: %s, matchOperator: In, action: Reject}]}`

// A changed import filter costs the session with a neighbor that cannot send its routes
// again, and no other one. That is said before.
func TestImportFilterAndRouteRefresh(t *testing.T) {
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.AddSubnet("rack", "10.0.1.0/24")
			h := l.AddHost(lab.HostConfig{Name: "n1", BIRD: version, Addresses: []string{"10.0.1.11/24"}, Blocks: []string{"10.244.1.0/26"}})
			l.Store.Apply(rackPool + "\n---\n" + fmt.Sprintf(filterOf, "198.51.100.0/24"))
			for kind, as := range map[routers.Kind]uint32{routers.ExaBGP: 65021, routers.GoBGP: 65022} {
				address := fmt.Sprintf("10.0.1.%d", as-65000)
				startRack(t, kind, l.AddMachine(string(kind), "", address+"/24"), as, 64512, l.Hosts, nil)
				l.Store.Apply(fmt.Sprintf("kind: BGPPeer\nmetadata: {name: %s}\nspec: {peerIP: %s, asNumber: %d, filters: [import]}", kind, address, as))
			}
			l.Start()
			const deaf, other = "Global_10_0_1_21", "Global_10_0_1_22"
			h.AwaitSessions(deaf, other)

			before := l.Moment()
			changed := fmt.Sprintf(filterOf, "203.0.113.0/24")
			to := h.WriteFile("change.yaml", "apiVersion: projectcalico.org/v3\n"+changed)
			out, code := h.RunConfd("diff", "--to", to)
			if code != 0 || !strings.Contains(out, "sessions restarted: "+deaf+"\n") || !strings.Contains(out, "sessions refiltered: "+other+"\n") {
				t.Errorf("confd diff ends with %d, and says %s", code, out)
			}
			out, code = h.RunConfd("plan", "-f", to)
			if text := strings.Join(strings.Fields(out), " "); code != 0 || !strings.Contains(text, "1 session remade BGPPeer exabgp "+deaf+" ") ||
				!strings.Contains(text, "1 session refiltered BGPPeer gobgp "+other+" ") || strings.Contains(text, "restarts where") {
				t.Errorf("confd plan ends with %d, and says %s", code, out)
			}
			l.Store.Apply(changed)
			l.Await("the session to be another one", func() error {
				another, err := before.IsAnother(h, deaf)
				if err == nil && !another {
					err = errors.New("it is the same, or not up yet")
				}
				return err
			})
			h.Confd.AwaitLog("restarted=\"1 [" + deaf + "]\" refiltered=\"1 [" + other + "]\"")
			before.NoFlap(func(_ *lab.Host, session string) bool { return session == deaf })
		})
	}
}

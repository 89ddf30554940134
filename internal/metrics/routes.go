package metrics

import (
	"strconv"

	"confd/internal/report"
	"confd/internal/routes"
)

// routes sends how the routes of each BIRD are.
func (send send) routes(list []report.Routes) {
	for _, r := range list {
		send("confd_routes_known", number(r.Unknown == "" && r.KernelUnknown == ""), r.Set)
		if r.Unknown != "" {
			continue
		}
		send("confd_bird_recovering", number(r.Recovery != nil), r.Set)
		for _, kind := range routes.Kinds() {
			send("confd_route_faults", float64(r.Wrong[string(kind)]), r.Set, string(kind))
		}
		for _, t := range r.Tables {
			send.table(t)
		}
	}
}

func (send send) table(t report.Table) {
	family := strconv.Itoa(t.Family)
	send("confd_routes", float64(t.BGP), family, "bgp")
	send("confd_routes", float64(t.Static), family, "static")
	send("confd_routes", float64(t.Kernel), family, "kernel")
	send("confd_routes", float64(t.Direct), family, "direct")
	if t.Programmed >= 0 {
		send("confd_routes_programmed", float64(t.Programmed), family)
	}
}

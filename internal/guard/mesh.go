package guard

import "confd/backends"

func meshOn(c *backends.BGPConfiguration) bool {
	return c == nil || c.NodeToNodeMesh == nil || *c.NodeToNodeMesh
}

// standingMesh is the object that keeps a node out of the mesh, and why; empty:
// none does.
func standingMesh(s *backends.State, node string) (key backends.Key, why string) {
	me := s.Nodes[node]
	switch {
	case !meshOn(s.BGPConfigurations["default"]):
		return backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}, "the mesh is switched off"
	case me != nil && me.ClusterID.IsValid():
		return me.ResourceKey(), "it is a route reflector, and out of the mesh"
	}
	return key, ""
}

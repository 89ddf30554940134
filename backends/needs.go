package backends

import "slices"

// Needs is what a configuration asks of a store beyond what is always read:
// Services cost much and matter to few clusters, and of Secrets nobody should
// read more than those that it must.
type Needs struct {
	Services bool  // Services and EndpointSlices
	Secrets  []Key // sorted, each once
}

// Needs says what a configuration made from s needs: Services where addresses
// of theirs are advertised (clusterIPs says that the environment names cluster
// ranges, besides those of the BGPConfiguration), and the Secrets in
// secretNamespace that a session's password may come from.
func (s *State) Needs(secretNamespace string, clusterIPs bool) Needs {
	n := Needs{Services: clusterIPs}
	add := func(ref *SecretKeyRef) {
		if ref != nil && ref.Name != "" {
			n.Secrets = append(n.Secrets, Key{Kind: KindSecret, Namespace: secretNamespace, Name: ref.Name})
		}
	}
	if c := s.BGPConfigurations["default"]; c != nil {
		n.Services = n.Services || len(c.ServiceClusterIPs)+len(c.ServiceExternalIPs)+len(c.ServiceLoadBalancerIPs) > 0
		add(c.NodeMeshPassword)
	}
	for _, p := range s.BGPPeers {
		add(p.Password)
	}
	slices.SortFunc(n.Secrets, Key.Compare)
	n.Secrets = slices.Compact(n.Secrets)
	return n
}

// With is what n and o ask for, together.
func (n Needs) With(o Needs) Needs {
	all := Needs{Services: n.Services || o.Services, Secrets: slices.Concat(n.Secrets, o.Secrets)}
	slices.SortFunc(all.Secrets, Key.Compare)
	all.Secrets = slices.Compact(all.Secrets)
	return all
}

// Equal says whether both ask for the same.
func (n Needs) Equal(o Needs) bool {
	return n.Services == o.Services && slices.Equal(n.Secrets, o.Secrets)
}

// Covers says whether n has all that o asks for.
func (n Needs) Covers(o Needs) bool {
	if o.Services && !n.Services {
		return false
	}
	for _, k := range o.Secrets {
		if !slices.Contains(n.Secrets, k) {
			return false
		}
	}
	return true
}

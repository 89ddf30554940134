// Package export writes the resources of a cluster's state as YAML, which the file
// backend reads.
package export

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/asyaml"
)

// Options say how a state is written.
type Options struct {
	// Namespace is that of the Secrets that hold passwords.
	Namespace string
	// Secrets is set where the values of Secrets are written, too.
	Secrets bool
}

// Write writes a state's resources as YAML documents, which the file
// backend reads back to the same ones: sorted, so that the same state gives the
// same bytes. Of Secrets only those keys are written that hold the password of
// a session; without o.Secrets, with what stands in for it (bgp.StandIn), so that what was
// written can be rendered and checked. Endpoint statuses, and what
// cannot be used, are left out.
func Write(w io.Writer, state *backends.State, o Options) error {
	for _, r := range exported(state, o) {
		text, err := backends.Encode(r)
		if err != nil {
			return err
		}
		if text, err = asyaml.FromJSON(text); err != nil {
			return fmt.Errorf("%s: %w", r.ResourceKey(), err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

func exported(state *backends.State, o Options) []backends.Resource {
	var all []backends.Resource
	all = appendResources(all, state.Nodes)
	all = appendResources(all, state.BGPConfigurations)
	all = appendResources(all, state.BGPPeers)
	all = appendResources(all, state.BGPFilters)
	all = appendResources(all, state.IPPools)
	all = appendResources(all, state.BlockAffinities)
	all = appendResources(all, state.FelixConfigurations)
	all = appendResources(all, maps.Collect(state.Services.All()))
	all = appendResources(all, maps.Collect(state.EndpointSlices.All()))
	all = appendResources(all, exportedSecrets(state, o))
	order := backends.Kinds()
	slices.SortFunc(all, func(a, b backends.Resource) int {
		x, y := a.ResourceKey(), b.ResourceKey()
		return cmp.Or(cmp.Compare(slices.Index(order, x.Kind), slices.Index(order, y.Kind)), x.Compare(y))
	})
	return all
}

func appendResources[K comparable, R backends.Resource](all []backends.Resource, table map[K]R) []backends.Resource {
	for _, r := range table {
		all = append(all, r)
	}
	return all
}

// exportedSecrets are the passwords that sessions have, and nothing else that
// stands beside them.
func exportedSecrets(state *backends.State, o Options) map[backends.Key]*backends.Secret {
	out := map[backends.Key]*backends.Secret{}
	for _, ref := range passwordRefs(state) {
		key := backends.Key{Kind: backends.KindSecret, Namespace: o.Namespace, Name: ref.Name}
		s, ok := state.Secrets[key]
		if !ok {
			continue
		}
		value, ok := s.Data[ref.Key]
		if !ok {
			continue
		}
		if !o.Secrets {
			value = bgp.StandIn(value)
		}
		if out[key] == nil {
			out[key] = &backends.Secret{Namespace: s.Namespace, Name: s.Name, Data: map[string]string{}}
		}
		out[key].Data[ref.Key] = value
	}
	return out
}

func passwordRefs(state *backends.State) []backends.SecretKeyRef {
	var refs []backends.SecretKeyRef
	if c := state.BGPConfigurations["default"]; c != nil && c.NodeMeshPassword != nil {
		refs = append(refs, *c.NodeMeshPassword)
	}
	for _, p := range state.BGPPeers {
		if p.Password != nil {
			refs = append(refs, *p.Password)
		}
	}
	return refs
}

package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"confd/backends"
)

// calicoKind is a kind of Calico's custom resources.
type calicoKind struct {
	kind     backends.Kind
	plural   string
	optional bool // Calico releases without it are in use, or it is read only to warn
}

// calicoKinds are the kinds that cfg asks for.
func calicoKinds(cfg Config) []calicoKind {
	felix := calicoKind{kind: backends.KindFelixConfiguration, plural: "felixconfigurations", optional: true}
	if !cfg.CalicoResources {
		return []calicoKind{felix}
	}
	kinds := []calicoKind{
		{kind: backends.KindBGPConfiguration, plural: "bgpconfigurations"},
		{kind: backends.KindBGPPeer, plural: "bgppeers"},
		{kind: backends.KindIPPool, plural: "ippools"},
		{kind: backends.KindBGPFilter, plural: "bgpfilters", optional: true},
		felix,
	}
	if !cfg.UsePodCIDR {
		kinds = append(kinds, calicoKind{kind: backends.KindBlockAffinity, plural: "blockaffinities"})
	}
	return kinds
}

// group is an API group, with a version, that has Calico's resources.
type group struct {
	name      string
	resources resources
}

// resources are the verbs of what a group has, by plural.
type resources map[string][]string

// discover chooses the API group. An error says what is missing.
func discover(ctx context.Context, c *client, cfg Config) (*group, error) {
	names := []string{cfg.APIGroup}
	if cfg.APIGroup == "" {
		names = []string{GroupV1, GroupV3}
	}
	var lacks []string
	for _, name := range names {
		found, err := readGroup(ctx, c, name)
		switch {
		case codeOf(err) == http.StatusNotFound:
			lacks = append(lacks, "no API group "+name)
			continue
		case err != nil:
			return nil, fmt.Errorf("API group %s: %w", name, err)
		}
		missing := found.missing(calicoKinds(cfg))
		if len(missing) == 0 {
			return &group{name: name, resources: found}, nil
		}
		lacks = append(lacks, "in API group "+name+" no "+strings.Join(missing, ", "))
	}
	return nil, fmt.Errorf("the server has %s: install Calico's CustomResourceDefinitions, or correct CALICO_API_GROUP", strings.Join(lacks, ", and "))
}

func (r resources) missing(kinds []calicoKind) []string {
	var missing []string
	for _, k := range kinds {
		if _, ok := r[k.plural]; !ok && !k.optional {
			missing = append(missing, k.plural)
		}
	}
	return missing
}

// readGroup asks which resources a group has.
func readGroup(ctx context.Context, c *client, name string) (resources, error) {
	ctx, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	resp, err := c.get(ctx, "/apis/"+name, nil, "application/json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list struct {
		Resources []struct {
			Name  string   `json:"name"`
			Verbs []string `json:"verbs"`
		} `json:"resources"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list); err != nil {
		return nil, fmt.Errorf("the server's answer: %w", err)
	}
	r := resources{}
	for _, e := range list.Resources {
		r[e.Name] = e.Verbs
	}
	return r, nil
}

// served is a kind of custom resource that was found on the server.
type served struct {
	group  string
	plural string
	// creatable says that objects of it could be created when it was found.
	creatable bool
}

func newServed(g *group, plural string) *served {
	verbs, ok := g.resources[plural]
	return &served{group: g.name, plural: plural, creatable: !ok || slices.Contains(verbs, "create")}
}

func (s *served) resources(ctx context.Context, c *client) (resources, error) {
	return readGroup(ctx, c, s.group)
}

// errRemoved is told where a kind is not there, or is being removed.
var errRemoved = errors.New("the server is removing this kind: what is known of it stays in use")

// check fails where the kind is gone, or is going: a server that removes a
// CustomResourceDefinition deletes the objects one by one, and shows what it is
// about only in that none can be created any more.
func (s *served) check(ctx context.Context, c *client) error {
	found, err := s.resources(ctx, c)
	if err != nil {
		return fmt.Errorf("does the server still have this kind? %w", err)
	}
	verbs, ok := found[s.plural]
	if !ok || s.creatable && !slices.Contains(verbs, "create") {
		return errRemoved
	}
	return nil
}

package file

import (
	"errors"
	"fmt"
	"strings"

	"confd/backends"
)

var errNoKind = errors.New("has no kind")

// object is what one object in a file came to. At most one of event, ignored
// and err is set; none where the object is of no concern to any node.
type object struct {
	event    *backends.Event
	warnings []string
	ignored  string // the kind, where it is none of ours
	err      error  // it is no object at all
	// bare is an item that does not say its kind: its List does.
	bare map[string]any
	// block is set for an IPAMBlock, which matters to figures only.
	block *backends.Block
}

// typeMeta is what says what an object is.
type typeMeta struct{ apiVersion, kind string }

func typeOf(tree map[string]any) typeMeta {
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	return typeMeta{apiVersion, kind}
}

// item is the type of a List's items that do not say it themselves.
func (t typeMeta) item() typeMeta {
	t.kind = strings.TrimSuffix(t.kind, "List")
	return t
}

func (t typeMeta) isList() bool { return strings.HasSuffix(t.kind, "List") }

// objects returns what is in a parsed document, Lists taken apart.
func objects(tree any, outer typeMeta) []object {
	switch tree := tree.(type) {
	case nil:
		return nil
	case []any:
		var all []object
		for _, e := range tree {
			all = append(all, objects(e, outer)...)
		}
		return all
	case map[string]any:
		t := typeOf(tree)
		if t.isList() {
			return objects(tree["items"], t.item())
		}
		return []object{newObject(tree, t, outer)}
	}
	return []object{{err: errors.New("is not an object")}}
}

func newObject(tree map[string]any, t, outer typeMeta) object {
	if t.kind == "" && t.apiVersion == "" {
		t = outer
	}
	kind, ours := ourKind(t)
	switch {
	case t.kind == "" && outer == typeMeta{}:
		return object{bare: tree}
	case t.kind == "":
		return object{err: errNoKind}
	case t.apiVersion == "":
		return object{err: fmt.Errorf("is a %.40q without apiVersion", t.kind)}
	case !ours:
		return object{ignored: t.kind, block: blockOf(t, tree)}
	}
	return decode(kind, t, tree)
}

// ourKind tells what of the same name an API group means.
func ourKind(t typeMeta) (backends.Kind, bool) {
	group, _, _ := strings.Cut(t.apiVersion, "/")
	kind := backends.Kind(t.kind)
	switch kind {
	case backends.KindService, backends.KindSecret:
		return kind, t.apiVersion == "v1"
	case backends.KindEndpointSlice:
		return kind, group == "discovery.k8s.io"
	case backends.KindNode:
		return kind, t.apiVersion == "v1" || group == "projectcalico.org"
	case backends.KindBGPConfiguration, backends.KindBGPPeer, backends.KindBGPFilter, backends.KindIPPool,
		backends.KindBlockAffinity, backends.KindFelixConfiguration:
		return kind, group == "projectcalico.org" || group == "crd.projectcalico.org"
	}
	return kind, false
}

func decode(kind backends.Kind, t typeMeta, tree map[string]any) object {
	if kind == backends.KindNode && t.apiVersion == "v1" {
		node, err := backends.DecodeKubernetesNodeObject(tree)
		if err != nil {
			return unusable(kind, tree, err)
		}
		return object{event: &backends.Event{Key: node.ResourceKey(), Resource: node}}
	}
	res, err := backends.DecodeObject(kind, "", tree)
	switch {
	case errors.Is(err, backends.ErrNotOurs):
		return object{}
	case res != nil:
		return object{event: &backends.Event{Key: res.ResourceKey(), Resource: res, Err: err}}
	case err != nil:
		return unusable(kind, tree, err)
	}
	return object{}
}

// unusable reports a bad object under its name, where it has one.
func unusable(kind backends.Kind, tree map[string]any, err error) object {
	key, ok := backends.KeyOf(kind, tree)
	if !ok {
		return object{err: fmt.Errorf("is a %s that cannot be used: %w", kind, err)}
	}
	return object{event: &backends.Event{Key: key, Err: err}}
}

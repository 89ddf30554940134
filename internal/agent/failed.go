package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"confd/backends"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/reload"
	"confd/templates"
)

// failed is what has failed its trial: it is held until one of the objects changes
// that it came from.
type failed struct {
	held    report.Held
	objects []backends.Key
	// engine has the templates of what was the first configuration after a start:
	// what was different before nobody knows.
	engine *templates.Engine
	// set is the hash of a set that was on trial when the program was started: of
	// that nothing else is known. Else empty.
	set string
}

// blame makes what has failed of a candidate, of which the objects that changed with
// it are to blame; known: there are such, or it is known that there are none.
func blame(c *plan.Candidate, objects []backends.Key, known bool, before *failed, why string) *failed {
	f := &failed{held: report.Held{Hash: c.Hash, Why: why, Trial: true}}
	if before != nil { // c is made without those: they are as they were when they failed
		f.objects, f.held.Failed = slices.Clone(before.objects), slices.Clone(before.held.Failed)
	}
	if !known {
		f.engine = c.Templates.Engine
	}
	for _, k := range objects {
		if !slices.Contains(f.objects, k) {
			f.objects, f.held.Failed = append(f.objects, k), append(f.held.Failed, version(k, c.State))
		}
	}
	slices.SortFunc(f.objects, backends.Key.Compare)
	f.held.Objects = keyTexts(f.objects)
	return f
}

// inherited is what a program has found to fail that ran here before.
func inherited(held report.Held) *failed {
	f := &failed{held: held}
	for _, v := range held.Failed {
		f.objects = append(f.objects, keyOf(v))
	}
	return f
}

// blamed are the objects that changed with a candidate.
func blamed(c, running *plan.Candidate) []backends.Key {
	return slices.DeleteFunc(slices.Clone(preferred(c.Changed)), func(k backends.Key) bool {
		was, _ := running.State.Get(k)
		is, _ := c.State.Get(k)
		return is == was
	})
}

// preferred are those of objects that are to blame first: routes that came and went
// meanwhile are not, where something else is.
func preferred(keys []backends.Key) []backends.Key {
	if ours := ofSessions(keys); len(ours) > 0 {
		return ours
	}
	return keys
}

// changed says whether a candidate is something else than what failed, and which
// object is the reason. Of the first configuration after a start any object is that
// has to do with sessions, and so are templates. One that came from no object (of
// another BIRD, for instance) is the same as long as the outcome is.
func (f *failed) changed(c *plan.Candidate) (string, bool) {
	if f.set != "" {
		return "none: the files are others", !slices.ContainsFunc(c.Sets, func(s reload.Set) bool { return s.Hash() == f.set })
	}
	if f.engine != nil && f.engine != c.Templates.Engine {
		return "none: the templates have", true
	}
	if keys := ofSessions(c.Changed); f.engine != nil {
		return strings.Join(keyTexts(keys), ", "), len(keys) > 0
	}
	for _, v := range f.held.Failed {
		if k := keyOf(v); !isVersion(v, c.State) {
			return k.String(), true
		}
	}
	return "none", len(f.objects) == 0 && c.Hash != f.held.Hash
}

// ofSessions are the objects that can have to do with sessions: not those that
// only make routes come and go.
func ofSessions(keys []backends.Key) []backends.Key {
	routes := []backends.Kind{backends.KindService, backends.KindEndpointSlice, backends.KindBlockAffinity, backends.KindEndpointStatus}
	return slices.DeleteFunc(slices.Clone(keys), func(k backends.Key) bool { return slices.Contains(routes, k.Kind) })
}

// version says what an object is in a state.
func version(k backends.Key, state *backends.State) report.Version {
	r, _ := state.Get(k)
	return report.Version{Kind: string(k.Kind), Namespace: k.Namespace, Name: k.Name, Hash: hashOf(r)}
}

func keyOf(v report.Version) backends.Key {
	return backends.Key{Kind: backends.Kind(v.Kind), Namespace: v.Namespace, Name: v.Name}
}

// isVersion says whether an object is in a state what it was then.
func isVersion(v report.Version, state *backends.State) bool {
	r, _ := state.Get(keyOf(v))
	return hashOf(r) == v.Hash
}

// sameObjects says whether objects are what they were then; false of none.
func sameObjects(then []report.Version, state *backends.State) bool {
	return len(then) > 0 && !slices.ContainsFunc(then, func(v report.Version) bool { return !isVersion(v, state) })
}

// hashOf is a short hash of what an object says; empty: there is none.
func hashOf(r backends.Resource) string {
	if r == nil {
		return ""
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}

// without is a state in which some objects are what they were in another.
func without(state, then *backends.State, keys []backends.Key) *backends.State {
	s := state.Clone()
	for _, k := range keys {
		old, _ := then.Get(k)
		s.Apply(backends.Event{Key: k, Resource: old, Err: then.Invalid[k]})
	}
	return s
}

// anySecret says whether there is a Secret among objects: of those that ran before a
// start nobody knows what was in them.
func anySecret(keys []backends.Key) bool {
	return slices.ContainsFunc(keys, func(k backends.Key) bool { return k.Kind == backends.KindSecret })
}

// withoutKeys are keys that are not among others.
func withoutKeys(keys, others []backends.Key) []backends.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k backends.Key) bool { return slices.Contains(others, k) })
}

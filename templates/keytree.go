package templates

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kelseyhightower/memkv"
)

// keySource is the whole key tree of one Render, in groups. A group is made
// when somebody first asks for something in it.
type keySource struct {
	groups []*keyGroup
}

// keyGroup is a subtree, sorted by key.
type keyGroup struct {
	root  string
	fill  func(*pairs) error
	made  bool
	pairs memkv.KVPairs
	err   error
}

// pairs collects keys and their values.
type pairs struct{ list memkv.KVPairs }

// add adds the key made of parts.
func (p *pairs) add(value string, parts ...string) {
	p.list = append(p.list, memkv.KVPair{Key: strings.Join(parts, ""), Value: value})
}

// all makes the group, if it is not there yet. Where two values have the same
// key the first one that was added counts.
func (g *keyGroup) all() (memkv.KVPairs, error) {
	if !g.made {
		var p pairs
		g.err = g.fill(&p)
		byKey := func(a, b memkv.KVPair) int { return strings.Compare(a.Key, b.Key) }
		slices.SortStableFunc(p.list, byKey)
		g.pairs = slices.CompactFunc(p.list, func(a, b memkv.KVPair) bool { return a.Key == b.Key })
		g.made = true
	}
	return g.pairs, g.err
}

// starting gives what starts with prefix.
func (g *keyGroup) starting(prefix string) (memkv.KVPairs, error) {
	if !strings.HasPrefix(prefix, g.root) && !strings.HasPrefix(g.root, prefix) {
		return nil, nil
	}
	list, err := g.all()
	if err != nil {
		return nil, err
	}
	from, _ := find(list, prefix)
	list = list[from:]
	to, _ := slices.BinarySearchFunc(list, prefix, func(kv memkv.KVPair, prefix string) int {
		if strings.HasPrefix(kv.Key, prefix) {
			return -1
		}
		return cmp.Compare(kv.Key, prefix)
	})
	return list[:to], nil
}

func find(list memkv.KVPairs, key string) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(kv memkv.KVPair, key string) int { return cmp.Compare(kv.Key, key) })
}

// keyView is what one resource sees of the key tree: the subtrees that its keys
// select, without its prefix. Its methods are memkv's functions, with the same
// results; but no lookup goes through more keys than start like the wanted ones.
type keyView struct {
	source   *keySource
	prefix   string   // "/calico", or ""
	selected []string // with prefix; none lies in another
	resource string   // for messages
}

// each calls do for what is visible and starts with start, in no order.
func (v keyView) each(start string, do func(memkv.KVPair)) error {
	start = v.prefix + start
	for _, sel := range v.selected {
		below := strings.TrimSuffix(sel, "/") + "/"
		if strings.HasPrefix(sel, start) {
			if err := v.source.each(sel, func(kv memkv.KVPair) {
				if kv.Key == sel {
					do(v.seen(kv))
				}
			}); err != nil {
				return err
			}
		}
		if strings.HasPrefix(start, below) {
			below = start
		} else if !strings.HasPrefix(below, start) {
			continue
		}
		if err := v.source.each(below, func(kv memkv.KVPair) { do(v.seen(kv)) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *keySource) each(start string, do func(memkv.KVPair)) error {
	for _, g := range s.groups {
		list, err := g.starting(start)
		if err != nil {
			return err
		}
		for _, kv := range list {
			do(kv)
		}
	}
	return nil
}

// seen is kv as templates see it.
func (v keyView) seen(kv memkv.KVPair) memkv.KVPair {
	kv.Key = kv.Key[len(v.prefix):]
	return kv
}

func (v keyView) find(key string) (memkv.KVPair, bool, error) {
	full := v.prefix + key
	visible := slices.ContainsFunc(v.selected, func(sel string) bool { return within(sel, full) })
	if !visible || !strings.HasPrefix(key, "/") {
		return memkv.KVPair{}, false, nil
	}
	for _, g := range v.source.groups {
		if !within(g.root, full) {
			continue
		}
		list, err := g.all()
		if err != nil {
			return memkv.KVPair{}, false, err
		}
		if i, found := find(list, full); found {
			return v.seen(list[i]), true, nil
		}
	}
	return memkv.KVPair{}, false, nil
}

// exists says whether key has a value.
func (v keyView) exists(key string) (bool, error) {
	_, found, err := v.find(key)
	return found, err
}

// get gives a key with its value; one that is not there is an error.
func (v keyView) get(key string) (memkv.KVPair, error) {
	kv, found, err := v.find(key)
	if err == nil && !found {
		err = v.missing(key)
	}
	return kv, err
}

// missing says that a key is not there, and whether it could be.
func (v keyView) missing(key string) error {
	err := &memkv.KeyError{Key: key, Err: memkv.ErrNotExist}
	if !slices.ContainsFunc(v.selected, func(sel string) bool { return within(sel, v.prefix+key) }) {
		return fmt.Errorf("%w (and the keys in %s do not select it)", err, v.resource)
	}
	return err
}

// getv gives the value of a key, or the default where it has none.
func (v keyView) getv(key string, fallback ...string) (string, error) {
	kv, found, err := v.find(key)
	switch {
	case err != nil || found:
		return kv.Value, err
	case len(fallback) > 0:
		return fallback[0], nil
	}
	return "", v.missing(key)
}

// gets gives the keys that match a pattern of path.Match, sorted.
func (v keyView) gets(pattern string) (memkv.KVPairs, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	start, end := literalEnds(pattern)
	found := memkv.KVPairs{}
	err := v.each(start, func(kv memkv.KVPair) {
		if !strings.HasSuffix(kv.Key, end) {
			return
		}
		if ok, _ := path.Match(pattern, kv.Key); ok {
			found = append(found, kv)
		}
	})
	slices.SortFunc(found, func(a, b memkv.KVPair) int { return strings.Compare(a.Key, b.Key) })
	return found, err
}

// literalEnds are the beginning and the end that all matches of pattern have.
func literalEnds(pattern string) (start, end string) {
	first := strings.IndexAny(pattern, `*?[\`)
	if first < 0 {
		return pattern, pattern
	}
	start = pattern[:first]
	if !strings.ContainsAny(pattern, `[\`) {
		end = pattern[strings.LastIndexAny(pattern, "*?")+1:]
	}
	return start, end
}

// getvs gives the values of the keys that match a pattern, sorted.
func (v keyView) getvs(pattern string) ([]string, error) {
	found, err := v.gets(pattern)
	values := make([]string, len(found))
	for i, kv := range found {
		values[i] = kv.Value
	}
	slices.Sort(values)
	return values, err
}

// ls gives the names right below dir, folders and keys, sorted; for a key its
// own name too.
func (v keyView) ls(dir string) ([]string, error) {
	names := map[string]bool{}
	prefix := terms(dir)
	err := v.each(path.Clean(dir), func(kv memkv.KVPair) {
		switch {
		case kv.Key == dir:
			names[path.Base(kv.Key)] = true
		case startsWith(terms(path.Dir(kv.Key)), prefix):
			rest := strings.TrimPrefix(strings.TrimPrefix(kv.Key, dir), "/")
			name, _, _ := strings.Cut(rest, "/")
			names[name] = true
		}
	})
	return sortedNames(names), err
}

// lsdir gives the names of the folders right below dir, sorted.
func (v keyView) lsdir(dir string) ([]string, error) {
	names := map[string]bool{}
	prefix := terms(dir)
	err := v.each(dir, func(kv memkv.KVPair) {
		if t := terms(path.Dir(kv.Key)); len(t) > len(prefix) && startsWith(t, prefix) {
			names[t[len(prefix)]] = true
		}
	})
	return sortedNames(names), err
}

func terms(key string) []string { return strings.Split(path.Clean(key), "/") }

func startsWith(terms, prefix []string) bool {
	return len(terms) >= len(prefix) && slices.Equal(terms[:len(prefix)], prefix)
}

func sortedNames(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

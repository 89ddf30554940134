package bgp

import (
	"slices"

	"confd/backends"
)

// UnreachableRules are the rules of a list, from 1, that no route gets to: a rule
// before them is for all of theirs. It errs to fewer.
func UnreachableRules(rules []backends.FilterRule) []int {
	var out []int
	for i, r := range rules {
		if slices.ContainsFunc(rules[:i], func(before backends.FilterRule) bool { return covers(before, r) }) || empty(r) {
			out = append(out, i+1)
		}
	}
	return out
}

// covers says whether all routes that r is for are before's.
func covers(before, r backends.FilterRule) bool {
	switch {
	case before.RemotePeers && !r.RemotePeers,
		before.Interface != "" && before.Interface != r.Interface && before.Interface != "*",
		before.PeerType != "" && before.PeerType != r.PeerType,
		before.Community != nil && (r.Community == nil || *r.Community != *before.Community),
		len(before.ASPathPrefix) > 0 && !startsWith(r.ASPathPrefix, before.ASPathPrefix),
		before.Priority != nil && (r.Priority == nil || *r.Priority != *before.Priority):
		return false
	}
	return coversNet(before, r)
}

// coversNet says whether all nets that r is for are before's.
func coversNet(before, r backends.FilterRule) bool {
	if !before.CIDR.IsValid() {
		return true
	}
	if !r.CIDR.IsValid() || before.Match != backends.MatchIn {
		return before.CIDR == r.CIDR && before.Match == r.Match && sameLengths(before.PrefixLength, r.PrefixLength)
	}
	low, high := lengths(before)
	switch r.Match {
	case backends.MatchEqual:
		return within(r.CIDR, before.CIDR) && low <= r.CIDR.Bits() && r.CIDR.Bits() <= high
	case backends.MatchIn:
		from, to := lengths(r)
		return within(r.CIDR, before.CIDR) && low <= from && to <= high
	}
	return false
}

// lengths are those that a rule of MatchIn is for.
func lengths(r backends.FilterRule) (low, high int) {
	low, high = r.CIDR.Bits(), r.CIDR.Addr().BitLen()
	if l := r.PrefixLength; l != nil {
		low, high = max(low, int(l.Min)), min(high, int(l.Max))
	}
	return low, high
}

func sameLengths(a, b *backends.LengthRange) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// empty says whether a rule is for no route at all.
func empty(r backends.FilterRule) bool {
	if !r.CIDR.IsValid() || r.PrefixLength == nil {
		return false
	}
	low, high := lengths(r)
	switch r.Match {
	case backends.MatchIn:
		return low > high
	case backends.MatchEqual:
		return r.CIDR.Bits() < int(r.PrefixLength.Min) || r.CIDR.Bits() > int(r.PrefixLength.Max)
	}
	return false
}

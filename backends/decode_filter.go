package backends

import "net/netip"

func decodeBGPFilter(m metadata, spec field) *BGPFilter {
	if !spec.object() && !spec.missing() {
		return ClosedFilter(m.name)
	}
	return &BGPFilter{
		Name:     m.name,
		ImportV4: spec.get("importV4").rules(4),
		ExportV4: spec.get("exportV4").rules(4),
		ImportV6: spec.get("importV6").rules(6),
		ExportV6: spec.get("exportV6").rules(6),
	}
}

// rules reads a list of rules. What is no list is noted, and has one that rejects
// all.
func (f field) rules(version int) []FilterRule {
	if _, ok := f.value.([]any); !ok && !f.missing() {
		f.bad("a list")
		return []FilterRule{{}}
	}
	var rules []FilterRule
	for _, e := range f.list() {
		rules = append(rules, e.rule(version))
	}
	return rules
}

func (f field) rule(version int) FilterRule {
	f.object()
	r := FilterRule{
		Match:        oneOf(f.get("matchOperator"), MatchEqual, MatchNotEqual, MatchIn, MatchNotIn),
		RemotePeers:  oneOf(f.get("source"), "RemotePeers") != "",
		Interface:    f.get("interface").pattern(),
		PeerType:     oneOf(f.get("peerType"), PeerExternal, PeerInternal),
		Community:    f.get("communities").ruleCommunity(),
		ASPathPrefix: f.get("asPathPrefix").asNumbers(),
		Priority:     f.get("priority").uint32(0, maxPriority),
		Accept:       oneOf(f.get("action").required(), "Accept", "Reject") == "Accept",
		Operations:   f.get("operations").operations(),
	}
	r.CIDR = f.ruleNet(version)
	r.PrefixLength = f.get("prefixLength").lengthRange(r.CIDR)
	if len(r.Operations) > 0 && !r.Accept {
		f.get("operations").failf("go with action Accept only")
	}
	return r
}

// ruleNet reads cidr, which comes together with matchOperator.
func (f field) ruleNet(version int) netip.Prefix {
	cidr, match := f.get("cidr"), f.get("matchOperator")
	if cidr.empty() != match.empty() {
		f.failf("needs both cidr and matchOperator, or none of them")
	}
	p := cidr.prefix()
	if p.IsValid() && p.Addr().Is4() != (version == 4) {
		cidr.failf("%s is not of IPv%d, as the list's rules are", p, version)
		return netip.Prefix{}
	}
	return p
}

// lengthRange reads {min, max}. A min below the CIDR's own length is kept: BIRD
// takes it, and then the pattern means the nets around the CIDR too.
func (f field) lengthRange(cidr netip.Prefix) *LengthRange {
	f.object()
	low, high := f.get("min"), f.get("max")
	if low.empty() && high.empty() {
		return nil
	}
	if !cidr.IsValid() {
		f.failf("needs a cidr")
		return nil
	}
	bits := uint64(cidr.Addr().BitLen())
	r := LengthRange{Min: uint8(cidr.Bits()), Max: uint8(bits)}
	if n := low.number(0, bits); n != nil {
		r.Min = uint8(*n)
	}
	if n := high.number(0, bits); n != nil {
		r.Max = uint8(*n)
	}
	if r.Min > r.Max {
		f.failf("no length is at least %d and at most %d", r.Min, r.Max)
	}
	return &r
}

// ruleCommunity reads {values: [one]}. A condition without a value is no
// condition that holds always, so it is not taken for one.
func (f field) ruleCommunity() *Community {
	f.object()
	if f.missing() {
		return nil
	}
	values := f.get("values").list()
	if len(values) == 0 {
		f.get("values").failf("has no community; a rule compares with the first")
		return nil
	}
	return values[0].required().community()
}

func (f field) operations() []Operation {
	var ops []Operation
	for _, e := range f.list() {
		ops = append(ops, e.operation())
	}
	return ops
}

func (f field) operation() Operation {
	f.object()
	var op Operation
	set := 0
	if add := f.get("addCommunity"); !add.missing() {
		op.AddCommunity = add.get("value").required().community()
		set++
	}
	if prepend := f.get("prependASPath"); !prepend.missing() {
		if op.PrependASPath = prepend.get("prefix").asNumbers(); len(op.PrependASPath) == 0 {
			prepend.get("prefix").failf("names no AS number")
		}
		set++
	}
	if priority := f.get("setPriority"); !priority.missing() {
		op.SetPriority = priority.get("value").required().uint32(0, maxPriority)
		set++
	}
	if set != 1 {
		f.failf("has %d of addCommunity, prependASPath and setPriority; an operation is one", set)
	}
	return op
}

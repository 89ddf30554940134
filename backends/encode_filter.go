package backends

// filterSpec is a BGPFilter's spec. Only what is set is written.
type filterSpec struct {
	ImportV4 []ruleSpec `json:"importV4,omitempty"`
	ImportV6 []ruleSpec `json:"importV6,omitempty"`
	ExportV4 []ruleSpec `json:"exportV4,omitempty"`
	ExportV6 []ruleSpec `json:"exportV6,omitempty"`
}

type ruleSpec struct {
	CIDR          string          `json:"cidr,omitempty"`
	MatchOperator MatchOperator   `json:"matchOperator,omitempty"`
	PrefixLength  *lengthSpec     `json:"prefixLength,omitempty"`
	Source        string          `json:"source,omitempty"`
	Interface     string          `json:"interface,omitempty"`
	PeerType      PeerType        `json:"peerType,omitempty"`
	Communities   *valuesSpec     `json:"communities,omitempty"`
	ASPathPrefix  []uint32        `json:"asPathPrefix,omitempty"`
	Priority      *uint32         `json:"priority,omitempty"`
	Action        string          `json:"action"`
	Operations    []operationSpec `json:"operations,omitempty"`
}

type lengthSpec struct {
	Min uint8 `json:"min"`
	Max uint8 `json:"max"`
}

type valuesSpec struct {
	Values []string `json:"values"`
}

type operationSpec struct {
	AddCommunity  *valueSpec[string] `json:"addCommunity,omitempty"`
	PrependASPath *prefixSpec        `json:"prependASPath,omitempty"`
	SetPriority   *valueSpec[uint32] `json:"setPriority,omitempty"`
}

type valueSpec[T any] struct {
	Value T `json:"value"`
}

type prefixSpec struct {
	Prefix []uint32 `json:"prefix"`
}

func newFilterSpec(f *BGPFilter) filterSpec {
	return filterSpec{
		ImportV4: each(f.ImportV4, newRuleSpec), ImportV6: each(f.ImportV6, newRuleSpec),
		ExportV4: each(f.ExportV4, newRuleSpec), ExportV6: each(f.ExportV6, newRuleSpec),
	}
}

func newRuleSpec(r FilterRule) ruleSpec {
	s := ruleSpec{
		MatchOperator: r.Match, Interface: r.Interface, PeerType: r.PeerType,
		ASPathPrefix: r.ASPathPrefix, Priority: r.Priority, Action: "Reject",
		Operations: each(r.Operations, newOperationSpec),
	}
	if r.Accept {
		s.Action = "Accept"
	}
	if r.CIDR.IsValid() {
		s.CIDR = r.CIDR.String()
	}
	if r.PrefixLength != nil {
		s.PrefixLength = &lengthSpec{Min: r.PrefixLength.Min, Max: r.PrefixLength.Max}
	}
	if r.RemotePeers {
		s.Source = "RemotePeers"
	}
	if r.Community != nil {
		s.Communities = &valuesSpec{Values: []string{r.Community.String()}}
	}
	return s
}

func newOperationSpec(o Operation) operationSpec {
	switch {
	case o.AddCommunity != nil:
		return operationSpec{AddCommunity: &valueSpec[string]{o.AddCommunity.String()}}
	case o.SetPriority != nil:
		return operationSpec{SetPriority: &valueSpec[uint32]{*o.SetPriority}}
	}
	return operationSpec{PrependASPath: &prefixSpec{o.PrependASPath}}
}

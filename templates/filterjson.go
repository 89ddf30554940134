package templates

import (
	"encoding/json"
	"fmt"

	"confd/backends"
)

// The BGPFilter resource as JSON. Only what is set is written.
type filterJSON struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Spec       filterSpec        `json:"spec"`
}

type filterSpec struct {
	ImportV4 []ruleJSON `json:"importV4,omitempty"`
	ImportV6 []ruleJSON `json:"importV6,omitempty"`
	ExportV4 []ruleJSON `json:"exportV4,omitempty"`
	ExportV6 []ruleJSON `json:"exportV6,omitempty"`
}

type ruleJSON struct {
	CIDR          string          `json:"cidr,omitempty"`
	MatchOperator string          `json:"matchOperator,omitempty"`
	PrefixLength  *lengthJSON     `json:"prefixLength,omitempty"`
	Source        string          `json:"source,omitempty"`
	Interface     string          `json:"interface,omitempty"`
	PeerType      string          `json:"peerType,omitempty"`
	Communities   *valuesJSON     `json:"communities,omitempty"`
	ASPathPrefix  []uint32        `json:"asPathPrefix,omitempty"`
	Priority      *uint32         `json:"priority,omitempty"`
	Action        string          `json:"action"`
	Operations    []operationJSON `json:"operations,omitempty"`
}

type lengthJSON struct {
	Min uint8 `json:"min"`
	Max uint8 `json:"max"`
}

type valuesJSON struct {
	Values []string `json:"values"`
}

type operationJSON struct {
	AddCommunity  *valueJSON[string] `json:"addCommunity,omitempty"`
	PrependASPath *prefixJSON        `json:"prependASPath,omitempty"`
	SetPriority   *valueJSON[uint32] `json:"setPriority,omitempty"`
}

type valueJSON[T any] struct {
	Value T `json:"value"`
}

type prefixJSON struct {
	Prefix []uint32 `json:"prefix"`
}

// encodeFilter writes a filter as the JSON of a BGPFilter resource, which
// backends.Decode reads back to the same filter.
func encodeFilter(f *backends.BGPFilter) ([]byte, error) {
	text, err := json.Marshal(filterJSON{
		APIVersion: "projectcalico.org/v3",
		Kind:       string(backends.KindBGPFilter),
		Metadata:   map[string]string{"name": f.Name},
		Spec: filterSpec{
			ImportV4: rulesJSON(f.ImportV4), ImportV6: rulesJSON(f.ImportV6),
			ExportV4: rulesJSON(f.ExportV4), ExportV6: rulesJSON(f.ExportV6),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.ResourceKey(), err)
	}
	return text, nil
}

func rulesJSON(rules []backends.FilterRule) []ruleJSON {
	var out []ruleJSON
	for _, r := range rules {
		out = append(out, newRuleJSON(r))
	}
	return out
}

func newRuleJSON(r backends.FilterRule) ruleJSON {
	j := ruleJSON{
		MatchOperator: string(r.Match), Interface: r.Interface, PeerType: string(r.PeerType),
		ASPathPrefix: r.ASPathPrefix, Priority: r.Priority, Action: "Reject",
	}
	if r.Accept {
		j.Action = "Accept"
	}
	if r.CIDR.IsValid() {
		j.CIDR = r.CIDR.String()
	}
	if r.PrefixLength != nil {
		j.PrefixLength = &lengthJSON{Min: r.PrefixLength.Min, Max: r.PrefixLength.Max}
	}
	if r.RemotePeers {
		j.Source = "RemotePeers"
	}
	if r.Community != nil {
		j.Communities = &valuesJSON{Values: []string{r.Community.String()}}
	}
	for _, o := range r.Operations {
		j.Operations = append(j.Operations, newOperationJSON(o))
	}
	return j
}

func newOperationJSON(o backends.Operation) operationJSON {
	switch {
	case o.AddCommunity != nil:
		return operationJSON{AddCommunity: &valueJSON[string]{o.AddCommunity.String()}}
	case o.SetPriority != nil:
		return operationJSON{SetPriority: &valueJSON[uint32]{*o.SetPriority}}
	}
	return operationJSON{PrependASPath: &prefixJSON{o.PrependASPath}}
}

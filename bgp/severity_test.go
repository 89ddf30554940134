package bgp

import (
	"fmt"
	"slices"
	"testing"

	"confd/backends"
)

// TestSeverity: what there is no severity of counts as info, and is said of what it
// stands in.
func TestSeverity(t *testing.T) {
	tests := []struct {
		name                    string
		of, ofDefault, ofOption string
		level                   LogLevel
		want                    []string
	}{
		{name: "none is set", level: LogStates},
		{name: "the option", ofOption: "DEBUG", level: LogAll},
		{name: "above info", ofOption: "Critical", level: LogNone},
		{name: "an unknown option", ofOption: "Wraning", level: LogStates, want: []string{
			`Node n1: BGP_LOGSEVERITYSCREEN: there is no log severity "Wraning": it counts as info; did you mean warning?`,
		}},
		{name: "like nothing", ofOption: "9; }", level: LogStates, want: []string{`Node n1: BGP_LOGSEVERITYSCREEN: there is no log severity "9; }": it counts as info`}},
		{name: "default before an unknown option", ofDefault: "Error", ofOption: "x", level: LogNone, want: []string{
			`Node n1: BGP_LOGSEVERITYSCREEN: there is no log severity "x": it counts as info`,
		}},
		{name: "an unknown default before an option", ofDefault: "loud", ofOption: "debug", level: LogStates, want: []string{
			`BGPConfiguration default: logSeverityScreen: there is no log severity "loud": it counts as info`,
		}},
		{name: "the node's own unknown one before default", of: "loud", ofDefault: "debug", level: LogStates, want: []string{
			`BGPConfiguration node.n1: logSeverityScreen: there is no log severity "loud": it counts as info`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(node("n1", "10.0.0.1/24", ""), node("n2", "10.0.0.2/24", ""),
				&backends.BGPConfiguration{Name: "default", LogSeverity: tt.ofDefault}, &backends.BGPConfiguration{Name: "node.n1", LogSeverity: tt.of})
			o := Options{Node: "n1", LogSeverity: tt.ofOption}
			cfg, err := Compute(s, o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range cfg.Problems {
				if p.Code == CodeUnknownSeverity {
					got = append(got, p.Object.String()+": "+p.Text)
				}
			}
			if cfg.LogLevel != tt.level || !slices.Equal(got, tt.want) {
				t.Errorf("level %v, want %v; %q, want %q", cfg.LogLevel, tt.level, got, tt.want)
			}
			other, err := Compute(s, o.For("n2"))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range other.Problems {
				if p.Object.Kind == backends.KindNode {
					t.Errorf("of another node: %s", p.Text)
				}
			}
			if want := LogLevelOf(tt.ofDefault); tt.ofDefault != "" && other.LogLevel != want || tt.ofDefault == "" && other.LogLevel != tt.level {
				t.Errorf("the level of another node is %v: %s", other.LogLevel, fmt.Sprint(tt))
			}
		})
	}
}

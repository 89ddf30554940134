package backends

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAffinityValues reads what etcd may have under the key of a block.
func TestAffinityValues(t *testing.T) {
	cidr := netip.MustParsePrefix("10.1.0.0/26")
	for value, want := range map[string]string{ // what the affinity is, or what is wrong
		``:                                   " false",
		`null`:                               " false",
		`{}`:                                 " false",
		`{"state":"confirmed"}`:              "confirmed false",
		`{"state":"pending","deleted":true}`: "pending true",
		`{"state":null,"deleted":null}`:      " false",
		`{"deleted":"true","more":[]}`:       " true",
		`{"state":"odd"}`:                    `state: "odd" is none of [confirmed pending pendingDeletion]`,
		`{"state":7}`:                        "state: 7 is none of",
		`{"state":"` + strings.Repeat("x", 5000) + `"}`: `xxx"... is none of`,
		`{"deleted":"perhaps"}`:                         `deleted: "perhaps" is not true or false`,
		`[]`:                                            "a list, not an object",
		`"confirmed"`:                                   "a text, not an object",
		`{"state":`:                                     "not JSON",
		`confirmed`:                                     "not JSON",
		`{} {}`:                                         "not JSON",
		strings.Repeat("[", 5000):                       "nested deeper",
	} {
		a, err := decodeAffinityValue("n", "n/x", cidr, []byte(value))
		switch {
		case err != nil:
			if text := err.Error(); !strings.Contains(text, want) || len(text) > 300 || strings.Contains(text, "struct") {
				t.Errorf("%.40s: %v, want %s", value, err, want)
			}
		case a.CIDR != cidr || a.Node != "n" || a.State+map[bool]string{true: " true", false: " false"}[a.Deleted] != want:
			t.Errorf("%.40s: %+v, want %s", value, a, want)
		}
	}
}

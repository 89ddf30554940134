package selector

import (
	"strings"
	"testing"
)

func TestMisses(t *testing.T) {
	labels := map[string]string{"rack": "r1", "role": "rr"}
	for text, want := range map[string]string{
		"":                                     "",
		"rack == 'r1'":                         "",
		"rack == \"r2\"":                       "rack == 'r2' [rack=r1]",
		"zone in {'a', 'b'} && rack != 'r1'":   "zone in {'a', 'b'} [zone -], rack != 'r1' [rack=r1]",
		"!has(role) || zone == 'a' && all()":   "!has(role) [role=rr]",
		"has(x) && has(y) || has(z)":           "has(z) [z -]",
		"!(has(rack) && has(role))":            "!(has(rack) && has(role)) [ -]",
		"(has(x) || has(rack)) && !all()":      "!all() [ -]",
		"role starts with 'x'":                 "role starts with 'x' [role=rr]",
		"!(role ends with \"r\")":              "!(role ends with 'r') [role=rr]",
		"role not in {'rr', \"it's\"}":         "role not in {'rr', \"it's\"} [role=rr]",
		"role contains 'q' || !(rack != 'r2')": "role contains 'q' [role=rr]",
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range s.Misses(labels) {
			value := " -]"
			if m.Has {
				value = "=" + m.Value + "]"
			}
			got = append(got, m.Condition+" ["+m.Label+value)
			if c, err := Parse(m.Condition); err != nil || c.Matches(labels) {
				t.Errorf("%s: the condition %s: %v, or it holds", text, m.Condition, err)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s, want %s", text, strings.Join(got, ", "), want)
		}
		if s.Matches(labels) != (len(got) == 0) {
			t.Errorf("%s: matches %t", text, s.Matches(labels))
		}
	}
	s, _ := Parse("b == '1' && (has(a) || !has(b))")
	if got := strings.Join(s.Labels(), " "); got != "a b" {
		t.Error(got)
	}
}

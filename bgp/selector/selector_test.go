package selector

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	labels := map[string]string{"rack": "r1", "route-reflector": "true", "a/b.c_d": "x'y", "empty": "", "in": "here"}
	tests := []struct {
		selector string
		want     bool
	}{
		{"", true},
		{"  ", true},
		{"all()", true},
		{"global()", true},
		{"!all()", false},
		{"has(rack)", true},
		{"has( nope )", false},
		{"!has(nope)", true},
		{"rack == 'r1'", true},
		{"rack=='r1'", true},
		{`rack == "r1"`, true},
		{"rack == 'r2'", false},
		{"rack != 'r1'", false},
		{"rack != 'r2'", true},
		{"nope != 'r2'", true},
		{"nope == ''", false},
		{"empty == ''", true},
		{"rack in {'r0', 'r1'}", true},
		{"rack in {}", false},
		{"rack not in {'r0', 'r1'}", false},
		{"rack not in { 'r0' }", true},
		{"nope not in {'r0'}", true},
		{"nope in {'r0'}", false},
		{"route-reflector contains 'ru'", true},
		{"route-reflector starts with 'tr'", true},
		{"route-reflector ends with 'tr'", false},
		{"nope starts with ''", false},
		{`a/b.c_d == "x'y"`, true},
		{"in == 'here'", true},
		{"in in {'here'}", true},
		{"rack == 'r1' && !has(route-reflector)", false},
		{"has(nope) || rack == 'r1' && has(empty)", true},
		{"(has(nope) || rack == 'r1') && has(nope)", false},
		{"!(has(nope) || has(other))", true},
		{"!!has(rack)", true},
	}
	for _, tt := range tests {
		s, err := Parse(tt.selector)
		if err != nil {
			t.Errorf("Parse(%q): %v", tt.selector, err)
			continue
		}
		if got := s.Matches(labels); got != tt.want {
			t.Errorf("%q matches %v, want %v", tt.selector, got, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"rack":                         "expected an operator",
		"rack == r1":                   "expected a string in quotes at byte 8",
		"rack == 'r1":                  "expected a string that ends in '",
		"rack = 'r1'":                  "expected an operator",
		"rack in 'r1'":                 `expected "{"`,
		"rack in {'a' 'b'}":            `expected "," or "}"`,
		"rack in {'a',}":               "expected a string in quotes",
		"rack not 'a'":                 "expected an operator",
		"has()":                        "expected a label name",
		"has(rack":                     `expected ")"`,
		"any()":                        "expected all(), global() or has(LABEL) at byte 0",
		"all() all()":                  "expected &&, || or the end",
		"all() &&":                     "expected a label name",
		"(all()":                       `expected ")"`,
		"ünicode == 'x'":               "expected a label name",
		strings.Repeat("!", 20000):     "too long",
		strings.Repeat("(", 1000) + "": "nests too deep",
	} {
		_, err := Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): got error %v, want one with %q", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "all()", "a == 'b' && !has(c) || d in {\"x\", 'y'}", "a not in {}", "((a starts with 'b'))", "!!!", "a == '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in)
		if err != nil {
			return
		}
		s.Matches(map[string]string{"a": "b"})
		if s.String() != in {
			t.Errorf("String() = %q, want %q", s.String(), in)
		}
	})
}

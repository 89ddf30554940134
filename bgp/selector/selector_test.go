package selector

import (
	"fmt"
	"math/rand/v2"
	"slices"
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
		{"nope notin {'r0'}", true},
		{"rack notin {'r1'}", false},
		{"rack in {'r1',}", true},
		{"rack in { 'r0' , 'r1' , }", true},
		{"rack startswith 'r'", true},
		{"rack startswith '1'", false},
		{"rack endswith '1'", true},
		{"rack endswith\"r\"", false},
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
		"rack in {,}":                  "expected a string in quotes",
		"rack in {'a',,}":              "expected a string in quotes",
		"rack in {'a'":                 `expected "," or "}"`,
		"rack startwith 'a'":           "expected an operator",
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

// meant is a selector that is made at random: how it may be written, and what it
// means.
type meant struct {
	text  string
	holds func(map[string]string) bool
}

// author writes selectors.
type author struct{ *rand.Rand }

func (a author) one(words ...string) string { return words[a.IntN(len(words))] }

func (a author) gap() string { return a.one("", " ", "  ", "\t", "\n ") }

func (a author) label() string { return a.one("a", "b", "in", "not", "has", "a/b.c_d-e") }

func (a author) quoted(value string) string {
	mark := a.one("'", `"`)
	if strings.Contains(value, mark) {
		mark = map[string]string{"'": `"`, `"`: "'"}[mark]
	}
	return mark + value + mark
}

func (a author) value() string { return a.one("", "x", "xy", "yx", "it's", "&& ||", "}") }

// selector writes one of at most that depth.
func (a author) selector(depth int) meant {
	if depth == 0 {
		return a.condition()
	}
	x, y := a.selector(depth-1), a.selector(a.IntN(depth))
	switch a.IntN(4) {
	case 0:
		return meant{"!" + a.gap() + "(" + x.text + ")", func(l map[string]string) bool { return !x.holds(l) }}
	case 1:
		return meant{"(" + x.text + ")" + a.gap() + "&&" + a.gap() + "(" + y.text + ")", func(l map[string]string) bool { return x.holds(l) && y.holds(l) }}
	case 2:
		return meant{x.text + a.gap() + "||" + a.gap() + y.text, func(l map[string]string) bool { return x.holds(l) || y.holds(l) }}
	default:
		return x
	}
}

func (a author) condition() meant {
	label := a.label()
	with := func(operator string, test func(value, operand string) bool) meant {
		v := a.value()
		return meant{label + " " + operator + a.gap() + a.quoted(v), func(l map[string]string) bool { value, ok := l[label]; return ok && test(value, v) }}
	}
	switch a.IntN(8) {
	case 0:
		return meant{a.one("all()", "global( )"), func(map[string]string) bool { return true }}
	case 1:
		return meant{"has(" + a.gap() + label + ")", func(l map[string]string) bool { _, ok := l[label]; return ok }}
	case 2:
		return with("==", func(v, w string) bool { return v == w })
	case 3:
		m := with("!=", func(v, w string) bool { return v == w })
		return meant{m.text, func(l map[string]string) bool { return !m.holds(l) }}
	case 4:
		return with("contains", strings.Contains)
	case 5:
		return with(a.one("starts with", "startswith", "starts  with"), strings.HasPrefix)
	case 6:
		return with(a.one("ends with", "endswith"), strings.HasSuffix)
	default:
		return a.set(label)
	}
}

func (a author) set(label string) meant {
	var values, texts []string
	for range a.IntN(3) {
		v := a.value()
		values, texts = append(values, v), append(texts, a.quoted(v)+a.gap())
	}
	list := strings.Join(texts, ",")
	if len(texts) > 0 {
		list += a.one("", ",", " , ")
	}
	in := func(l map[string]string) bool { v, ok := l[label]; return ok && slices.Contains(values, v) }
	if a.IntN(2) == 0 {
		return meant{label + " in" + a.gap() + "{" + list + "}", in}
	}
	return meant{label + a.one(" not in ", " notin ", " not\tin") + "{" + list + "}", func(l map[string]string) bool { return !in(l) }}
}

func (a author) labels() map[string]string {
	l := map[string]string{}
	for range a.IntN(4) {
		l[a.label()] = a.value()
	}
	return l
}

// FuzzMeaning holds selectors of all spellings against what their author meant.
func FuzzMeaning(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		a := author{rand.New(rand.NewPCG(seed, 1))}
		m := a.selector(a.IntN(4))
		s, err := Parse(a.gap() + m.text + a.gap())
		if err != nil {
			t.Fatal(err, fmt.Sprintf("%q", m.text))
		}
		for range 10 {
			if l := a.labels(); s.Matches(l) != m.holds(l) {
				t.Fatalf("%q and %v: got %t", m.text, l, s.Matches(l))
			}
		}
	})
}

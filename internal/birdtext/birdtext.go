// Package birdtext reads the files that BIRD is given, as far as it takes to say
// what differs between two versions of them. It is pure.
package birdtext

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"confd/bgp"
)

// Set is the text of the files that one BIRD reads.
type Set struct {
	// Name is the set's: the statements of "bird6", which BIRD 1.6 has for IPv6,
	// are of that family where they do not say it; those of others are of IPv4.
	Name string
	// Files are what is in the files, in order.
	Files [][]byte
}

// Compare says what differs between two versions of BIRD's files in the words
// of the model, where only one of them has a model behind it. Both have the same
// sets in the same order; bird is BIRD's major version. It knows as much of BIRD's
// language as that takes, and works for any templates. Which static routes are
// blocks the text does not say.
func Compare(old, new []Set, bird int) bgp.Changes {
	var c bgp.Changes
	for i := range c.Families {
		c.Families[i].Version = []int{4, 6}[i]
	}
	for i := range new {
		t := textComparison{bird: bird, old: readBirdText(old[i]), new: readBirdText(new[i]), changes: &c}
		t.compare()
	}
	slices.Sort(c.Settings)
	c.Settings = slices.Compact(c.Settings)
	return c
}

// Sessions are the names of the BGP sessions that the files define.
func Sessions(sets []Set) map[string]bool {
	names := map[string]bool{}
	for _, s := range sets {
		for _, session := range readBirdText(s).sessions {
			names[session.name] = true
		}
	}
	return names
}

// birdText is what the files of one BIRD define, by name.
type birdText struct {
	// family is the one of statements that do not say it: BIRD 1.6 has a daemon
	// for each.
	family    int
	sessions  []birdBlock
	templates map[string]birdBlock
	statics   []bgp.StaticRoute
	kernels   map[int]birdBlock
	// policies are functions, filters and definitions; others are all other
	// statements by their first two words.
	policies, others map[string]string
}

// birdBlock is a protocol, or a template of one: statements without their
// semicolons. Those of a channel start with its name.
type birdBlock struct {
	name, from string
	statements []string
}

func readBirdText(s Set) birdText {
	t := birdText{
		family: 4, templates: map[string]birdBlock{}, kernels: map[int]birdBlock{},
		policies: map[string]string{}, others: map[string]string{},
	}
	if s.Name == "bird6" {
		t.family = 6
	}
	for _, f := range s.Files {
		for _, statement := range birdStatements(string(f)) {
			t.add(statement)
		}
	}
	slices.SortStableFunc(t.sessions, func(a, b birdBlock) int { return strings.Compare(a.name, b.name) })
	return t
}

func (t *birdText) add(statement string) {
	words := append(strings.Fields(statement), "", "", "", "", "")
	block := birdBlock{name: words[2], statements: bodyOf(statement)}
	if words[3] == "from" {
		block.from = words[4]
	}
	switch words[0] + " " + words[1] {
	case "protocol bgp":
		t.sessions = append(t.sessions, block)
		return
	case "template bgp":
		t.templates[block.name] = block
		return
	case "protocol static":
		t.addStatics(block)
		return
	case "protocol kernel":
		t.kernels[t.familyOf(block)] = block
		return
	}
	switch words[0] {
	case "function", "filter", "define":
		name, _, _ := strings.Cut(words[1], "(")
		t.policies[name] = statement
	case "include":
	default:
		name := strings.TrimRight(words[0]+" "+words[1], " {;")
		t.others[name] += statement + "\n"
	}
}

// familyOf looks for a channel of the block.
func (t *birdText) familyOf(b birdBlock) int {
	for _, s := range b.statements {
		for family, channel := range map[int]string{4: "ipv4", 6: "ipv6"} {
			if s == channel || strings.HasPrefix(s, channel+" ") {
				return family
			}
		}
	}
	return t.family
}

func (t *birdText) addStatics(b birdBlock) {
	for _, s := range b.statements {
		words := strings.Fields(s)
		if len(words) < 3 || words[0] != "route" {
			continue
		}
		net, err := netip.ParsePrefix(words[1])
		if err != nil {
			continue
		}
		r := bgp.StaticRoute{Net: net}
		if words[2] == "via" && len(words) > 3 {
			r.Via, _ = netip.ParseAddr(words[3]) // an interface is no gateway
		}
		t.statics = append(t.statics, r)
	}
}

// statements are a session's own, and those of the templates it is made from: but for
// an AS number that the session has another one for.
func (t *birdText) statements(b birdBlock) []string {
	all := b.statements
	own := slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, "local ") && strings.Contains(s, " as ") })
	for range 10 { // templates can be made from others; none from itself
		from, ok := t.templates[b.from]
		if !ok {
			break
		}
		all = slices.Clone(all)
		for _, s := range from.statements {
			if !own || !strings.HasPrefix(s, "local as ") {
				all = append(all, s)
			}
		}
		b = from
	}
	return all
}

// birdStatements takes a text apart: each statement on one line with single
// spaces, without comments and without the semicolon at its end. A block is one
// statement, with its body.
func birdStatements(text string) []string {
	var all []string
	var b strings.Builder
	depth := 0
	end := func() {
		if s := strings.Join(strings.Fields(b.String()), " "); s != "" {
			all = append(all, s)
		}
		b.Reset()
	}
	for _, token := range birdToken.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(token, "#") || strings.HasPrefix(token, "/*"):
			token = " "
		case token == "{":
			depth++
		case token == "}":
			depth--
			if depth == 0 {
				b.WriteString(token)
				end()
				continue
			}
		case token == ";" && depth == 0:
			end()
			continue
		}
		b.WriteString(token)
	}
	end()
	return all
}

// birdToken is a comment, a string, a mark that structures the text, or what
// is between these.
var birdToken = regexp.MustCompile(`#[^\n]*|(?s:/\*.*?\*/)|"[^"\n]*"?|[{};]|[^#"{};/]+|/`)

// bodyOf are the statements of a block; those of a channel start with its name.
func bodyOf(statement string) []string {
	_, body, ok := strings.Cut(statement, "{")
	if !ok {
		return nil
	}
	var all []string
	for _, s := range birdStatements(strings.TrimSuffix(strings.TrimSpace(body), "}")) {
		channel, _, _ := strings.Cut(s, " ")
		if !strings.HasPrefix(channel, "ipv4") && !strings.HasPrefix(channel, "ipv6") {
			all = append(all, s)
			continue
		}
		all = append(all, channel)
		for _, inner := range bodyOf(s) {
			all = append(all, channel+" "+inner)
		}
	}
	return all
}

// textComparison compares the files of one BIRD.
type textComparison struct {
	bird     int
	old, new birdText
	// touched are policies that do something else now, themselves or by others
	// that they use.
	touched map[string]bool
	changes *bgp.Changes
}

func (t *textComparison) compare() {
	t.touched = touchedPolicies(t.old.policies, t.new.policies)
	for _, texts := range []map[string]string{t.old.others, t.new.others} {
		for name := range texts {
			if t.old.others[name] != t.new.others[name] {
				t.changes.Settings = append(t.changes.Settings, name)
			}
		}
	}
	t.sessions()
	t.routes()
}

func (t *textComparison) sessions() {
	before := map[string]birdBlock{}
	for _, s := range t.old.sessions {
		before[s.name] = s
	}
	restartAll := t.old.others["router id"] != t.new.others["router id"]
	for _, s := range t.new.sessions {
		was, ok := before[s.name]
		delete(before, s.name)
		oldWire, oldPolicy := t.split(t.old.statements(was))
		wire, policy := t.split(t.new.statements(s))
		switch {
		case !ok:
			t.changes.Added = append(t.changes.Added, s.name)
		case restartAll || !slices.Equal(oldWire, wire):
			t.changes.Restarted = append(t.changes.Restarted, s.name)
		case !slices.Equal(oldPolicy, policy) || slices.ContainsFunc(policy, t.mentionsTouched):
			t.changes.Refiltered = append(t.changes.Refiltered, s.name)
			if was, is := imports(oldPolicy), imports(policy); !slices.Equal(was, is) || slices.ContainsFunc(is, t.mentionsTouched) {
				t.changes.Reasked = append(t.changes.Reasked, s.name)
			}
		}
	}
	for _, s := range t.old.sessions {
		if _, gone := before[s.name]; gone {
			t.changes.Removed = append(t.changes.Removed, s.name)
		}
	}
}

// split tells the statements that BIRD restarts a session for from those that
// it does not; what only BIRD's log sees is neither. Order does not matter.
func (t *textComparison) split(statements []string) (wire, policy []string) {
	for _, s := range statements {
		bare := s
		if channel, rest, ok := strings.Cut(s, " "); ok && strings.HasPrefix(channel, "ipv") {
			bare = rest
		}
		switch word, _, _ := strings.Cut(bare, " "); {
		case word == "debug", word == "description":
		case word == "import", word == "export", t.bird > 1 && strings.HasPrefix(bare, "next hop "):
			policy = append(policy, s)
		default:
			wire = append(wire, s)
		}
	}
	slices.Sort(wire)
	slices.Sort(policy)
	return slices.Compact(wire), slices.Compact(policy)
}

// imports are those of a session's policies that say what is taken from the neighbor.
func imports(policy []string) []string {
	return slices.DeleteFunc(slices.Clone(policy), func(s string) bool { return !importStatement.MatchString(s) })
}

var importStatement = regexp.MustCompile(`^(ipv[46] )?import `)

var birdName = regexp.MustCompile(`'[^']*'|[A-Za-z_][A-Za-z0-9_]*`)

func (t *textComparison) mentionsTouched(statement string) bool {
	return mentions(statement, t.touched)
}

func mentions(text string, names map[string]bool) bool {
	return slices.ContainsFunc(birdName.FindAllString(text, -1), func(n string) bool { return names[n] })
}

// touchedPolicies are those whose text differs, and those that use them.
func touchedPolicies(old, new map[string]string) map[string]bool {
	touched := map[string]bool{}
	for name, text := range new {
		if old[name] != text {
			touched[name] = true
		}
	}
	if len(touched) == 0 {
		return touched
	}
	for before := -1; before < len(touched); {
		before = len(touched)
		for name, text := range new {
			if !touched[name] && mentions(text, touched) {
				touched[name] = true
			}
		}
	}
	return touched
}

func (t *textComparison) routes() {
	for i := range t.changes.Families {
		f := &t.changes.Families[i]
		f.StaticsGained = append(f.StaticsGained, staticsOnlyIn(t.new.statics, t.old.statics, f.Version)...)
		f.StaticsLost = append(f.StaticsLost, staticsOnlyIn(t.old.statics, t.new.statics, f.Version)...)
		was, is := t.old.kernels[f.Version], t.new.kernels[f.Version]
		if !slices.Equal(was.statements, is.statements) || slices.ContainsFunc(is.statements, t.mentionsTouched) {
			f.Kernel = true
		}
	}
}

func staticsOnlyIn(list, others []bgp.StaticRoute, family int) []bgp.StaticRoute {
	there := make(map[bgp.StaticRoute]bool, len(others))
	for _, r := range others {
		there[r] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(r bgp.StaticRoute) bool {
		return there[r] || r.Net.Addr().Is4() != (family == 4)
	})
}

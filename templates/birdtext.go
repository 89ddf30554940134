package templates

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"confd/backends"
)

// maxPreference is the highest local preference that Calico uses: a route's
// local preference is maxPreference minus its priority (metric).
const maxPreference = 2147483647

// symbolLength is how long a BIRD symbol may be.
const symbolLength = 64

// quote makes a BIRD string literal of s. BIRD knows no escapes in strings, so
// text with a quotation mark or a control character is an error.
func quote(s string) (string, error) {
	if i := strings.IndexFunc(s, func(r rune) bool { return r == '"' || unicode.IsControl(r) }); i >= 0 {
		return "", fmt.Errorf("BIRD's strings cannot hold the character at byte %d", i)
	}
	return `"` + s + `"`, nil
}

// comment makes s fit behind a "#": one line, of at most 300 characters, in which
// nothing is hidden or shown elsewhere than it stands, as the marks for the direction of
// text do.
func comment(s string) string {
	if len(s) <= 300 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= 300 {
		return s
	}
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "..."
	}
	return s
}

// symbol quotes a name for use as a BIRD symbol. BIRD takes letters, digits,
// "_", "-", "." and ":" between single quotes, 64 characters at most.
func symbol(name string) (string, error) {
	if name == "" || len(name) > symbolLength {
		return "", fmt.Errorf("%q cannot be a BIRD symbol: it must have 1 to %d characters", name, symbolLength)
	}
	for _, r := range name {
		if !isSymbolRune(r) {
			return "", fmt.Errorf("%q cannot be a BIRD symbol: it holds %q", name, r)
		}
	}
	return "'" + name + "'", nil
}

func isSymbolRune(r rune) bool {
	return strings.ContainsRune("_-.:", r) || r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// functionName is the name of a BGPFilter's function for a direction ("import"
// or "export") and address family (4 or 6). A name that BIRD's symbols could
// not hold is cut and given a hash, so that two long ones never meet.
func functionName(filter, direction string, family int) string {
	const prefix = "bgp_"
	suffix := fmt.Sprintf("_%sFilterV%d", direction, family)
	room := symbolLength - len(prefix) - len(suffix)
	word := filterWord(filter)
	if len(word) > room {
		hash := nameHash(word)
		word = word[:room-len(hash)] + hash
	}
	return prefix + word + suffix
}

func nameHash(name string) string { return fmt.Sprintf("_%X", sha256.Sum256([]byte(name)))[:17] }

// filterWord is a BGPFilter's name with nothing in it that BIRD's symbols, or
// the keys of Calico's templates, cannot hold. An API server refuses other
// names, etcd and files do not: they are given a hash.
func filterWord(name string) string {
	odd := func(r rune) bool { return !isSymbolRune(r) || r == ':' }
	if name != "" && !strings.ContainsFunc(name, odd) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return '_'
		}
		return r
	}, name) + nameHash(name)
}

// filterRules are the rules of f for a direction and family.
func filterRules(f *backends.BGPFilter, direction string, family int) []backends.FilterRule {
	switch {
	case direction == "import" && family == 4:
		return f.ImportV4
	case direction == "import":
		return f.ImportV6
	case family == 4:
		return f.ExportV4
	default:
		return f.ExportV6
	}
}

// bySession says whether one of the rules asks what kind of session it is.
func bySession(rules []backends.FilterRule) bool {
	return slices.ContainsFunc(rules, func(r backends.FilterRule) bool { return r.PeerType != "" })
}

// filterLines is the definition of f's function for a direction and family, as
// lines; none where f has no such rules. The text is the same for every BIRD.
func filterLines(f *backends.BGPFilter, direction string, family int, _ Version) []string {
	rules := filterRules(f, direction, family)
	if len(rules) == 0 {
		return nil
	}
	param := ""
	if bySession(rules) {
		param = "bool " + sameAS
	}
	lines := []string{fmt.Sprintf("function '%s'(%s) {", functionName(f.Name, direction, family), param)}
	for _, r := range rules {
		lines = append(lines, "  "+ruleText(r))
	}
	return append(lines, "}")
}

// explainedLines are filterLines whose rules each have a comment that says which rule
// of which BGPFilter it is, as confd explain calls it.
func explainedLines(f *backends.BGPFilter, direction string, family int, v Version) []string {
	lines := filterLines(f, direction, family, v)
	for i := range lines {
		if i > 0 && i < len(lines)-1 {
			lines[i] += fmt.Sprintf("  # BGPFilter %s, %sV%d rule %d", comment(f.Name), direction, family, i)
		}
	}
	return lines
}

// sameAS is the parameter that tells a filter's function whether the session is
// internal. BIRD 2 reserves the word "internal".
const sameAS = "same_as"

// ruleText is one filter rule as a statement.
func ruleText(r backends.FilterRule) string {
	conditions := ruleConditions(r)
	statements := operationsText(r.Operations) + "reject;"
	if r.Accept {
		statements = operationsText(r.Operations) + "accept;"
	}
	if len(conditions) == 0 {
		return statements
	}
	if len(r.Operations) > 0 {
		statements = "{ " + statements + " }"
	}
	return fmt.Sprintf("if %s then %s", strings.Join(conditions, " && "), statements)
}

func ruleConditions(r backends.FilterRule) []string {
	var c []string
	if r.CIDR.IsValid() {
		c = append(c, netCondition(r))
	}
	if r.RemotePeers {
		c = append(c, "source = RTS_BGP")
	}
	if r.Interface != "" {
		// The decoder has refused patterns that a string cannot hold.
		c = append(c, fmt.Sprintf(`defined(ifname) && ifname ~ "%s"`, r.Interface))
	}
	switch r.PeerType {
	case backends.PeerInternal:
		c = append(c, sameAS)
	case backends.PeerExternal:
		c = append(c, "!"+sameAS)
	}
	if r.Community != nil {
		c = append(c, fmt.Sprintf("%s ~ %s", communityValue(*r.Community), communityAttribute(*r.Community)))
	}
	if len(r.ASPathPrefix) > 0 {
		c = append(c, fmt.Sprintf("bgp_path ~ [= %s * =]", joinNumbers(r.ASPathPrefix)))
	}
	if r.Priority != nil {
		c = append(c, fmt.Sprintf("defined(bgp_local_pref) && bgp_local_pref = %d", maxPreference-int64(*r.Priority)))
	}
	return c
}

func netCondition(r backends.FilterRule) string {
	op := map[backends.MatchOperator]string{
		backends.MatchEqual: "=", backends.MatchNotEqual: "!=", backends.MatchIn: "~", backends.MatchNotIn: "!~",
	}[r.Match]
	equal := op == "=" || op == "!="
	switch l := r.PrefixLength; {
	case equal && l != nil && (r.CIDR.Bits() < int(l.Min) || r.CIDR.Bits() > int(l.Max)):
		return fmt.Sprint(op == "!=") // no net is the CIDR and has such a length
	case equal || l == nil:
		return fmt.Sprintf("net %s %s", op, r.CIDR)
	}
	// A pattern's lower length may lie below the prefix's own and would then
	// match nets around it: what lies in the CIDR is never shorter than it.
	low, high := max(int(r.PrefixLength.Min), r.CIDR.Bits()), int(r.PrefixLength.Max)
	if low > high {
		return fmt.Sprint(op == "!~")
	}
	return fmt.Sprintf("net %s [ %s{%d,%d} ]", op, r.CIDR, low, high)
}

func operationsText(ops []backends.Operation) string {
	var b strings.Builder
	for _, o := range ops {
		switch {
		case o.AddCommunity != nil:
			b.WriteString(communityAdd(*o.AddCommunity) + " ")
		case o.SetPriority != nil:
			fmt.Fprintf(&b, "bgp_local_pref = %d; ", maxPreference-int64(*o.SetPriority))
		default:
			for _, as := range slices.Backward(o.PrependASPath) {
				fmt.Fprintf(&b, "bgp_path.prepend(%d); ", as)
			}
		}
	}
	return b.String()
}

// communityAdd is the statement that adds c to a route.
func communityAdd(c backends.Community) string {
	return fmt.Sprintf("%s.add(%s);", communityAttribute(c), communityValue(c))
}

func communityAttribute(c backends.Community) string {
	if c.Large {
		return "bgp_large_community"
	}
	return "bgp_community"
}

func communityValue(c backends.Community) string {
	if c.Large {
		return fmt.Sprintf("(%d, %d, %d)", c.A, c.B, c.C)
	}
	return fmt.Sprintf("(%d, %d)", c.A, c.B)
}

func joinNumbers(n []uint32) string {
	return strings.Trim(fmt.Sprint(n), "[]")
}

// interfacePatterns is the pattern list of an interface option; a leading "-"
// excludes.
func interfacePatterns(patterns []string) (string, error) {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		name, excluded := strings.CutPrefix(p, "-")
		q, err := quote(name)
		if err != nil {
			return "", fmt.Errorf("interface pattern %q: %w", p, err)
		}
		if excluded {
			q = "-" + q
		}
		out[i] = q
	}
	return strings.Join(out, ", "), nil
}

package calicosocket

import (
	"slices"
	"strings"
)

// capabilities are what the two sides of a session can do (RFC 5492), in BIRD 1.6's
// words.
type capabilities struct {
	placed    bool // their place among the session's lines is found
	ours, its []string
	in        string // the capability that lines of its own go on with
}

// words are those of BIRD 1.6 for the lines of BIRD 2 and 3, in its order; able is the
// word where the neighbor keeps its routes while it restarts.
func words() []capabilityWord {
	return []capabilityWord{
		{line: "Route refresh", word: "refresh"},
		{line: "Enhanced refresh", word: "enhanced-refresh"},
		{line: "Graceful restart", word: "restart-aware", able: "restart-able"},
		{line: "Long-lived graceful restart", word: "llgr-aware", able: "llgr-able"},
		{line: "4-octet AS numbers", word: "AS4"},
		{line: "RX", word: "add-path-rx"},
		{line: "TX", word: "add-path-tx"},
		{line: "Extended message", word: "ext-messages"},
	}
}

type capabilityWord struct{ line, word, able string }

// line takes up a line of BIRD 2 and 3: a capability, or what goes with the one
// before for the address families that it names.
func (c *capabilities) line(local bool, text string, family Family) {
	side := &c.its
	if local {
		side = &c.ours
	}
	name, families, more := strings.Cut(text, ":")
	if !more {
		c.in = name
	}
	if more && !slices.Contains(strings.Fields(families), string(family)) {
		return
	}
	if of := wordOf(c.in); more && name == "AF supported" && of.able != "" {
		if i := slices.Index(*side, of.word); i >= 0 {
			(*side)[i] = of.able
		}
		return
	}
	if of := wordOf(name); of.word != "" {
		*side = append(*side, of.word)
	}
}

func wordOf(line string) capabilityWord {
	for _, w := range words() {
		if w.line == line {
			return w
		}
	}
	return capabilityWord{}
}

// neighbor are those of the neighbor.
func (c *capabilities) neighbor() string {
	var list []string
	for _, w := range words() {
		for _, word := range []string{w.word, w.able} {
			if word != "" && slices.Contains(c.its, word) {
				list = append(list, word)
			}
		}
	}
	return strings.Join(list, " ")
}

// agreed is what BIRD 1.6 says besides of a session that both sides do it in.
func (c *capabilities) agreed() string {
	text := ""
	if slices.Contains(c.ours, "add-path-rx") && slices.Contains(c.its, "add-path-tx") {
		text += " add-path-rx"
	}
	if slices.Contains(c.ours, "add-path-tx") && slices.Contains(c.its, "add-path-rx") {
		text += " add-path-tx"
	}
	return text
}

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

// words are those of BIRD 1.6, in its order.
var words = []struct{ line, word string }{
	{"Route refresh", "refresh"},
	{"Enhanced refresh", "enhanced-refresh"},
	{"Graceful restart", "restart-aware"},
	{"Long-lived graceful restart", "llgr-aware"},
	{"4-octet AS numbers", "AS4"},
	{"RX", "add-path-rx"},
	{"TX", "add-path-tx"},
	{"Extended message", "ext-messages"},
}

// able are the words of those whose neighbor keeps its routes while it restarts.
var able = map[string]string{"Graceful restart": "restart-able", "Long-lived graceful restart": "llgr-able"}

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
	if word := able[c.in]; more && name == "AF supported" && word != "" {
		if i := slices.Index(*side, wordOf(c.in)); i >= 0 {
			(*side)[i] = word
		}
		return
	}
	if word := wordOf(name); word != "" {
		*side = append(*side, word)
	}
}

func wordOf(line string) string {
	for _, w := range words {
		if w.line == line {
			return w.word
		}
	}
	return ""
}

// neighbor are those of the neighbor.
func (c *capabilities) neighbor() string {
	var list []string
	for _, w := range words {
		for _, word := range []string{w.word, able[w.line]} {
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

package control

import "strings"

// Row is one row of "show protocols". Since is as BIRD prints it.
type Row struct {
	Name, Proto, Table, State, Since, Info string
}

// ParseRow takes a row apart: words, of which the time may have two. It is false of
// what is no row.
func ParseRow(row string) (Row, bool) {
	c, ok := cellsOf(row)
	return Row{c.name, c.proto, c.table, c.state, spaced(c.since), spaced(c.info)}, ok
}

// spaced is text with single spaces between its words.
func spaced(text string) string {
	if !strings.Contains(text, "  ") && !strings.Contains(text, "\t") {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

// cells are the parts of a row where they lie.
type cells[T string | []byte] struct {
	name, proto, table, state, since, info T
}

// cellsOf takes a row apart; false: it is none.
func cellsOf[T string | []byte](row T) (c cells[T], ok bool) {
	rest := row
	for _, cell := range []*T{&c.name, &c.proto, &c.table, &c.state, &c.since} {
		*cell, rest = word(rest)
	}
	if len(c.since) == 0 {
		return cells[T]{}, false
	}
	if second, after := word(rest); count(c.since, '-') == 2 && count(second, ':') > 0 {
		begin := len(row) - len(rest) - len(c.since)
		c.since, rest = row[begin:len(row)-len(after)], after
	}
	c.info = trim(rest)
	return c, true
}

// word is the first word of a text, and what is behind it.
func word[T string | []byte](text T) (first, rest T) {
	begin := 0
	for begin < len(text) && isSpace(text[begin]) {
		begin++
	}
	end := begin
	for end < len(text) && !isSpace(text[end]) {
		end++
	}
	return text[begin:end], text[end:]
}

// trim is a text without what is blank around it.
func trim[T string | []byte](text T) T {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func count[T string | []byte](text T, c byte) (n int) {
	for i := range len(text) {
		if text[i] == c {
			n++
		}
	}
	return n
}

// wordAt is where the first word begins of which something is true; -1: nowhere.
func wordAt[T string | []byte](text T, is func(T) bool) int {
	for rest := text; len(rest) > 0; {
		var first T
		first, rest = word(rest)
		if len(first) > 0 && is(first) {
			return len(text) - len(rest) - len(first)
		}
	}
	return -1
}

// bgpStateOf is the state of BGP that a row of a session has; empty where it has none.
func bgpStateOf[T string | []byte](c cells[T]) string {
	if at := wordAt(c.info, isBGPState[T]); at >= 0 {
		state, _ := word(c.info[at:])
		return bgpState(state)
	}
	if string(c.state) == "down" {
		return "Down"
	}
	return ""
}

package selector

import (
	"errors"
	"fmt"
	"strings"
)

// maxLength and maxDepth bound what a selector may cost.
const (
	maxLength = 16 << 10
	maxDepth  = 100
)

// Parse reads a selector. An error says what was expected, and at which byte.
func Parse(s string) (*Selector, error) {
	if len(s) > maxLength {
		return nil, fmt.Errorf("selector of %d bytes is too long (at most %d)", len(s), maxLength)
	}
	p := &parser{in: s}
	p.space()
	if p.at == len(s) {
		return &Selector{text: s, root: everything{}}, nil
	}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.at < len(s) {
		return nil, p.expected("&&, || or the end")
	}
	return &Selector{text: s, root: root}, nil
}

// parser reads one selector from left to right. After each token it has passed
// the space behind it.
type parser struct {
	in string
	at int
}

func (p *parser) expected(what string) error {
	found := "the end"
	if rest := p.in[p.at:]; rest != "" {
		found = fmt.Sprintf("%q", rest[:min(len(rest), 20)])
	}
	return fmt.Errorf("expected %s at byte %d, found %s", what, p.at, found)
}

func (p *parser) space() {
	for p.at < len(p.in) && strings.IndexByte(" \t\r\n", p.in[p.at]) >= 0 {
		p.at++
	}
}

// accept passes the token where it stands next.
func (p *parser) accept(token string) bool {
	if !strings.HasPrefix(p.in[p.at:], token) {
		return false
	}
	p.at += len(token)
	p.space()
	return true
}

func (p *parser) or(depth int) (node, error) {
	return p.list(depth, "||", (*parser).and, func(n []node) node { return or(n) })
}

func (p *parser) and(depth int) (node, error) {
	return p.list(depth, "&&", (*parser).operation, func(n []node) node { return and(n) })
}

// list reads operands between separators, and joins them where there are several.
func (p *parser) list(depth int, separator string, operand func(*parser, int) (node, error), join func([]node) node) (node, error) {
	var nodes []node
	for {
		n, err := operand(p, depth)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		if !p.accept(separator) {
			break
		}
	}
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	return join(nodes), nil
}

func (p *parser) operation(depth int) (node, error) {
	if depth > maxDepth {
		return nil, errors.New("selector nests too deep")
	}
	if p.accept("!") {
		n, err := p.operation(depth + 1)
		return not{n}, err
	}
	if p.accept("(") {
		n, err := p.or(depth + 1)
		if err == nil && !p.accept(")") {
			err = p.expected(`")"`)
		}
		return n, err
	}
	start := p.at
	label := p.word()
	if label == "" {
		return nil, p.expected(`a label name, a function, "!" or "("`)
	}
	if p.accept("(") {
		return p.function(label, start)
	}
	return p.comparison(label)
}

// word reads a label name or keyword.
func (p *parser) word() string {
	start := p.at
	for p.at < len(p.in) && isNameByte(p.in[p.at]) {
		p.at++
	}
	w := p.in[start:p.at]
	p.space()
	return w
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_./-", c) >= 0
}

func (p *parser) function(name string, start int) (node, error) {
	var n node = everything{}
	switch name {
	case "all", "global":
	case "has":
		label := p.word()
		if label == "" {
			return nil, p.expected("a label name")
		}
		n = has{label}
	default:
		p.at = start
		return nil, p.expected("all(), global() or has(LABEL)")
	}
	if !p.accept(")") {
		return nil, p.expected(`")"`)
	}
	return n, nil
}

func (p *parser) comparison(label string) (node, error) {
	switch {
	case p.accept("=="):
		return p.withString(label, isOneOf)
	case p.accept("!="):
		n, err := p.withString(label, isOneOf)
		return not{n}, err
	}
	start := p.at
	switch p.word() {
	case "in":
		return p.withSet(label)
	case "notin":
		return p.withoutSet(label)
	case "not":
		if p.word() == "in" {
			return p.withoutSet(label)
		}
	case "contains":
		return p.withString(label, contains)
	case "startswith":
		return p.withString(label, startsWith)
	case "starts":
		if p.word() == "with" {
			return p.withString(label, startsWith)
		}
	case "endswith":
		return p.withString(label, endsWith)
	case "ends":
		if p.word() == "with" {
			return p.withString(label, endsWith)
		}
	}
	p.at = start
	return nil, p.expected("an operator (==, !=, in, not in, contains, starts with, ends with)")
}

func (p *parser) withString(label string, test operator) (node, error) {
	v, err := p.string()
	return compare{label: label, test: test, values: []string{v}}, err
}

func (p *parser) withoutSet(label string) (node, error) {
	n, err := p.withSet(label)
	return not{n}, err
}

// withSet reads values in braces; a comma may stand behind the last.
func (p *parser) withSet(label string) (node, error) {
	if !p.accept("{") {
		return nil, p.expected(`"{"`)
	}
	n := compare{label: label}
	for !p.accept("}") {
		v, err := p.string()
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, v)
		if !p.accept(",") && !strings.HasPrefix(p.in[p.at:], "}") {
			return nil, p.expected(`"," or "}"`)
		}
	}
	return n, nil
}

func (p *parser) string() (string, error) {
	if p.at == len(p.in) || p.in[p.at] != '\'' && p.in[p.at] != '"' {
		return "", p.expected("a string in quotes")
	}
	mark := p.in[p.at]
	end := strings.IndexByte(p.in[p.at+1:], mark)
	if end < 0 {
		return "", p.expected("a string that ends in " + string(mark))
	}
	v := p.in[p.at+1 : p.at+1+end]
	p.at += end + 2
	p.space()
	return v, nil
}

package templates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	"confd/bgp"
)

// The functions that parseTemplate puts into templates, so that none runs for
// ever: every loop calls tickName first, and every definition calls enterName
// and, at its end, leaveName. The names are none to be met by mistake.
const (
	tickName  = "confdTick"
	enterName = "confdEnter"
	leaveName = "confdLeave"
)

// maxDepth is how deep templates may call one another. text/template's own
// limit is 100,000, and from there an error takes hours to come back.
const maxDepth = 200

// addTicks puts a tick into each loop below list.
func addTicks(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.RangeNode:
			addTicks(n.List)
			addTicks(n.ElseList)
			prependTick(n.List)
		case *parse.IfNode:
			addTicks(n.List)
			addTicks(n.ElseList)
		case *parse.WithNode:
			addTicks(n.List)
			addTicks(n.ElseList)
		}
	}
}

func prependTick(list *parse.ListNode) {
	list.Nodes = slices.Insert(list.Nodes, 0, call(tickName, list.Position()))
}

// call is an action that calls a function without arguments.
func call(name string, pos parse.Pos) parse.Node {
	command := &parse.CommandNode{
		NodeType: parse.NodeCommand, Pos: pos,
		Args: []parse.Node{parse.NewIdentifier(name).SetPos(pos)},
	}
	return &parse.ActionNode{
		NodeType: parse.NodeAction, Pos: pos,
		Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command}},
	}
}

// enter counts how deep templates call one another.
func (r *run) enter() (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", fmt.Errorf("templates call one another more than %d deep", maxDepth)
	}
	return r.tick()
}

func (r *run) leave() string {
	r.depth--
	return ""
}

// tick writes nothing, and fails once the time is over or the output too large.
func (r *run) tick() (string, error) {
	if r.out != nil && r.out.full {
		return "", r.out.err()
	}
	return "", ended(r.ctx)
}

// ended is why ctx ended; nil: it did not.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
}

// hiddenError is an error whose text has been cleaned. It still is what it was
// for errors.Is, but its own text is the only one that prints.
type hiddenError struct {
	text string
	err  error
}

// Error is the cleaned text.
func (e *hiddenError) Error() string { return e.text }

// Is lets errors.Is see that a context ended, and nothing else.
func (e *hiddenError) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(e.err, target)
}

// hideSecrets takes the passwords of c's sessions out of an error's text:
// functions such as atoi repeat the value that they could not read.
func hideSecrets(err error, c *bgp.Config) error {
	text := err.Error()
	if c != nil {
		for _, f := range c.Families() {
			for _, s := range f.Sessions {
				text = hide(text, s.Password)
			}
		}
	}
	if text == err.Error() {
		return err
	}
	return &hiddenError{text: text, err: err}
}

// hide replaces secret in text. The shortest ones are left: they are no
// secrets, and every word would have them.
func hide(text, secret string) string {
	const shortest = 3
	if len(secret) < shortest {
		return text
	}
	quoted := strings.Trim(strconv.Quote(secret), `"`)
	return strings.NewReplacer(secret, "(secret)", quoted, "(secret)").Replace(text)
}

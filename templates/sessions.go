package templates

import (
	"fmt"
	"slices"
	"text/template"
	"text/template/parse"

	"confd/bgp"
)

// eachSessionName is the function that prints all sessions of a family, each with a
// template of its own: {{eachSession "session" .}}. A cluster has very many sessions,
// of which a change concerns few: the texts of the others are those that were made of
// them before. The template sees its session, and no more of the configuration, so
// that its text depends on ownTerms and the session. Where it calls a function that
// asks for anything else (keys, the environment), each is made anew.
const eachSessionName = "eachSession"

// eachSession executes a template for each session of a family, where its text is
// not known from before. It writes by itself, where it is called. Asking gives the
// functions whose results depend on more than their arguments.
func (r *run) eachSession(definition string, f Family, asking func() template.FuncMap) error {
	now := sessionTexts{definition: definition, own: f.own.terms(), sessions: f.Family.Sessions}
	now.begin = r.out.buf.Len()
	before, k := r.textsBefore(now, asking), 0
	if len(now.sessions) > 0 && bgp.SameList(before.sessions, now.sessions) { // all of them are the very same
		now.ends = before.ends
		_, _ = r.out.Write(before.text[:now.ends[len(now.ends)-1]]) // never fails
		r.made = append(r.made, now)
		return nil
	}
	now.ends = make([]int32, 0, len(now.sessions))
	t := r.template.Lookup(definition)
	if t == nil {
		return fmt.Errorf("there is no template %q", definition)
	}
	for _, s := range now.sessions {
		for k < len(before.sessions) && before.sessions[k] != s && before.sessions[k].Name < s.Name {
			k++
		}
		if k < len(before.sessions) && before.sessions[k].Equal(s) {
			_, _ = r.out.Write(before.of(k)) // never fails
			k++
		} else if err := r.printSession(t, newSession(s, f.own)); err != nil {
			return err
		}
		now.ends = append(now.ends, int32(r.out.buf.Len()-now.begin))
	}
	r.made = append(r.made, now)
	return nil
}

// printSession executes a template for one session.
func (r *run) printSession(t *template.Template, s Session) error {
	if plain(t, &s, r.out) {
		_, err := r.tick()
		return err
	}
	return t.Execute(r.out, s)
}

// textsBefore are the texts that were made before by the same template and with the
// same terms as now; none where there are none, or they may be others now.
func (r *run) textsBefore(now sessionTexts, asking func() template.FuncMap) sessionTexts {
	i := slices.IndexFunc(r.before, func(b sessionTexts) bool { return b.definition == now.definition && b.own == now.own })
	if i < 0 || asksMore(r.template.Lookup(now.definition), asking()) {
		return sessionTexts{}
	}
	return r.before[i]
}

// asksMore says whether a template, or one that it calls, calls a function whose result
// depends on more than its arguments: one of asking.
func asksMore(t *template.Template, asking template.FuncMap) bool {
	seen := map[string]bool{}
	var asks func(n parse.Node) bool
	asks = func(n parse.Node) bool {
		switch n := n.(type) {
		case *parse.ListNode:
			return n != nil && slices.ContainsFunc(n.Nodes, asks)
		case *parse.ActionNode:
			return asks(n.Pipe)
		case *parse.IfNode:
			return asks(n.Pipe) || asks(n.List) || asks(n.ElseList)
		case *parse.RangeNode:
			return asks(n.Pipe) || asks(n.List) || asks(n.ElseList)
		case *parse.WithNode:
			return asks(n.Pipe) || asks(n.List) || asks(n.ElseList)
		case *parse.PipeNode:
			return n != nil && slices.ContainsFunc(n.Cmds, func(c *parse.CommandNode) bool { return slices.ContainsFunc(c.Args, asks) })
		case *parse.ChainNode:
			return asks(n.Node)
		case *parse.IdentifierNode:
			return asking[n.Ident] != nil
		case *parse.TemplateNode:
			return asks(n.Pipe) || asksIn(t.Lookup(n.Name), seen, asks)
		}
		return false
	}
	return asksIn(t, seen, asks)
}

// asksIn looks into a template, once.
func asksIn(t *template.Template, seen map[string]bool, asks func(parse.Node) bool) bool {
	if t == nil || t.Tree == nil || seen[t.Name()] {
		return false
	}
	seen[t.Name()] = true
	return asks(t.Root)
}

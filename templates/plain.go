package templates

import (
	"strconv"
	"text/template"
	"text/template/parse"
)

// plain executes a template for a Session as text/template does, as far as it is plain:
// text, fields of Session, and conditions on them. text/template finds each field of
// each session by its name, and a cluster has very many sessions. False: the template is
// not plain for this session, and nothing is written.
func plain(t *template.Template, s *Session, out *limitedBuffer) bool {
	p := plainRun{session: s, out: out}
	begin := out.buf.Len()
	if t == nil || t.Tree == nil || !p.list(t.Root) {
		out.buf.Truncate(begin)
		return false
	}
	return true
}

// plainRun is one execution.
type plainRun struct {
	session *Session
	out     *limitedBuffer
	// variables are those that have been set, by name.
	variables []plainVariable
}

type plainVariable struct {
	name string
	text string
}

// list executes what is in a list; false: not all of it is plain.
func (p *plainRun) list(l *parse.ListNode) bool {
	if l == nil {
		return true
	}
	for _, n := range l.Nodes {
		if !p.node(n) {
			return false
		}
	}
	return true
}

func (p *plainRun) node(n parse.Node) bool {
	switch n := n.(type) {
	case *parse.TextNode:
		_, _ = p.out.Write(n.Text) // never fails
		return true
	case *parse.CommentNode:
		return true
	case *parse.ActionNode:
		return p.action(n.Pipe)
	case *parse.IfNode:
		return p.condition(n)
	}
	return false
}

// action prints a value, or sets a variable.
func (p *plainRun) action(pipe *parse.PipeNode) bool {
	arg := onlyArgument(pipe)
	if f, ok := arg.(*parse.IdentifierNode); ok && (f.Ident == enterName || f.Ident == leaveName) {
		return true // nothing is called from here
	}
	text, ok := p.text(arg)
	switch {
	case !ok || pipe.IsAssign || len(pipe.Decl) > 1:
		return false
	case len(pipe.Decl) == 1:
		p.variables = append(p.variables, plainVariable{pipe.Decl[0].Ident[0], text})
	default:
		p.out.writeText(text)
	}
	return true
}

// condition executes one side of a condition on a field that is true or false. Variables
// that are set there are that side's own.
func (p *plainRun) condition(n *parse.IfNode) bool {
	name := fieldName(onlyArgument(n.Pipe))
	is, ok := p.session.plainCondition(name)
	if !ok || len(n.Pipe.Decl) > 0 {
		return false
	}
	outside := len(p.variables)
	defer func() { p.variables = p.variables[:outside] }()
	if is {
		return p.list(n.List)
	}
	return p.list(n.ElseList)
}

// text is what a field or variable prints.
func (p *plainRun) text(arg parse.Node) (string, bool) {
	if v, ok := arg.(*parse.VariableNode); ok && len(v.Ident) == 1 {
		for i := len(p.variables) - 1; i >= 0; i-- {
			if p.variables[i].name == v.Ident[0] {
				return p.variables[i].text, true
			}
		}
		return "", false
	}
	return p.session.plainText(fieldName(arg))
}

// onlyArgument is the only thing in a pipeline that has no more; else nil.
func onlyArgument(pipe *parse.PipeNode) parse.Node {
	if pipe == nil || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return nil
	}
	return pipe.Cmds[0].Args[0]
}

// fieldName is the name of a field of the session itself; empty: it is none.
func fieldName(arg parse.Node) string {
	if f, ok := arg.(*parse.FieldNode); ok && len(f.Ident) == 1 {
		return f.Ident[0]
	}
	return ""
}

// plainText is what a field prints; false: it is not one of these.
func (s *Session) plainText(field string) (string, bool) {
	switch field {
	case "Name":
		return s.Name, true
	case "Why":
		return s.Why, true
	case "Local":
		return s.Local, true
	case "Remote":
		return s.Remote, true
	case "From":
		return s.From, true
	case "ImportFilter":
		return s.ImportFilter, true
	case "ExportFilter":
		return s.ExportFilter, true
	case "Family":
		return strconv.Itoa(s.Family), true
	}
	return "", false
}

// plainCondition is whether a field is true, as a text is that is not empty; false: it is
// not one of these.
func (s *Session) plainCondition(field string) (is, ok bool) {
	switch field {
	case "From":
		return s.From != "", true
	case "Passive":
		return s.Passive, true
	case "HasMore":
		return s.HasMore, true
	case "Usual":
		return s.Usual, true
	case "Strict":
		return s.Strict, true
	}
	return false, false
}

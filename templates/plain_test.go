package templates

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"confd/bgp"
)

// TestPlain executes the templates for sessions of all sorts in both ways. Most
// sessions of a large cluster have to be plain.
func TestPlain(t *testing.T) {
	e, err := Load(os.DirFS("../etc/confd"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := map[bool]int{}
	for _, c := range e.sets {
		for bits := range 1 << 8 {
			is := func(bit int) bool { return bits&(1<<bit) != 0 }
			s := Session{
				Session: &bgp.Session{Name: "Mesh_10_0_0_2", Neighbor: netip.MustParseAddr("10.0.0.2"), OwnLocalAS: is(0), Internal: is(1), RRClient: is(2)},
				Name:    "Mesh_10_0_0_2", Why: "a {{reason}}", Local: "10.0.0.1 as 64512", Remote: "10.0.0.2 as 64513",
				From: strings.Repeat("10.0.0.1", bits&1), ImportFilter: "calico_import4", ExportFilter: "{ reject; }",
				Passive: is(3), HasMore: is(4), Usual: is(5), Strict: is(6), Family: 4 + bits>>7*2, Bird: Version{Major: 2},
			}
			if is(2) {
				s.Session.Password, s.Session.NextHop = "secret", bgp.NextHopSelf
			}
			tmpl, err := c.template.Clone()
			if err != nil {
				t.Fatal(err)
			}
			r := &run{ctx: t.Context(), out: &limitedBuffer{max: 1 << 20}, template: tmpl}
			session := tmpl.Funcs(r.functions()).Lookup("session")
			r.out.writeText("before")
			ok := plain(session, &s, r.out)
			got := strings.TrimPrefix(r.out.buf.String(), "before")
			r.out.buf.Reset()
			if err := session.Execute(r.out, s); err != nil {
				t.Fatal(err)
			}
			if want := r.out.buf.String(); ok && got != want || !ok && got != "" {
				t.Errorf("%s, %b: %q, want %q", c.File, bits, got, want)
			}
			if !is(4) && !ok {
				t.Errorf("%s, %b: a session with nothing special is not plain", c.File, bits)
			}
			count[ok]++
		}
	}
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("all are plain, or none: %v", count)
	}
}

// TestPlainOrNot has templates that are plain, and others that must be left to
// text/template.
func TestPlainOrNot(t *testing.T) {
	s := Session{Session: &bgp.Session{Name: "inner", Password: "p"}, Name: "one", Family: 4, Passive: true}
	for text, want := range map[string]bool{
		`text`: true, `{{/* nothing */}}`: true, `{{.Name}}`: true, `{{- .Family -}} x`: true, `{{$v := .Family}}{{$v}}`: true,
		`{{if .Passive}}a{{else}}b{{end}}`: true, `{{if .Strict}}a{{else}}b{{end}}`: true, `{{if .From}}a{{else}}b{{end}}`: true, `{{if .Strict}}{{.Password}}{{end}}`: true,
		`{{$v := .Name}}{{if .Passive}}{{$v := .Family}}{{$v}}{{end}}{{$v}}`: true,
		`{{$v := .Name}}{{if .Passive}}{{$v = .Family}}{{end}}{{$v}}`:        false,
		`{{if .Passive}}x{{.Password}}{{end}}`:                               false, `{{.Session.Name}}`: false, `{{printf "%s" .Name}}`: false, `{{.Name | quote}}`: false,
		`{{if .Name}}x{{end}}`: false, `{{with .Name}}{{.}}{{end}}`: false, `{{if not .Passive}}x{{end}}`: false, `{{$.Name}}`: false, `{{.}}`: false,
		`{{if $p := .Passive}}{{$p}}{{end}}`: false, `{{template "other" .}}`: false, `{{break}}`: false,
	} {
		tmpl, err := parseTemplate("t", strings.ReplaceAll(text, "{{break}}", "{{range .Import}}{{break}}{{end}}")+`{{define "other"}}{{end}}`, library{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r := &run{ctx: t.Context(), out: &limitedBuffer{max: 1 << 10}, template: tmpl}
		tmpl.Funcs(r.functions())
		ok := plain(tmpl, &s, r.out)
		got := r.out.buf.String()
		r.out.buf.Reset()
		err = tmpl.Execute(r.out, s)
		if ok != want || ok && (err != nil || got != r.out.buf.String()) || !ok && got != "" {
			t.Errorf("%s: plain %t, %q, want %t, %q (%v)", text, ok, got, want, r.out.buf.String(), err)
		}
	}
	full := &limitedBuffer{max: 3}
	full.writeText("four")
	if !full.full || full.buf.Len() > 0 {
		t.Error("more is written than may be")
	}
}

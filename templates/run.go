package templates

import (
	"context"
	"text/template"
)

// run is the making of one file: what its template's functions work on.
type run struct {
	ctx  context.Context
	in   Input
	out  *limitedBuffer
	keys keyView
	// template is what is executed.
	template *template.Template
	// depth is how many templates are being executed, one in the other.
	depth int
	// before are texts of sessions from the rendering before, made those of this one.
	before, made []sessionTexts
}

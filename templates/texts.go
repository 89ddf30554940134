package templates

import "confd/bgp"

// sessionTexts are what a template made of the sessions of a family.
type sessionTexts struct {
	definition string
	own        ownTerms
	sessions   []*bgp.Session
	// text is theirs, which is at begin in the file; ends has where each one's ends.
	text  []byte
	begin int
	ends  []int32
}

// ownTerms are what the text of each session of a family depends on, besides the
// session.
type ownTerms struct {
	version    int
	bird       Version
	listenPort uint16
	strict     bool
}

func (o *ownEnd) terms() ownTerms {
	return ownTerms{o.family.Version, o.bird, o.family.ListenPort, o.family.ListenAddress.IsValid()}
}

// of is the text of the session i.
func (t sessionTexts) of(i int) []byte {
	begin := int32(0)
	if i > 0 {
		begin = t.ends[i-1]
	}
	return t.text[begin:t.ends[i]]
}

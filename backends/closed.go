package backends

// StandIn is what takes the place of a resource of which nothing can be read,
// and the error that says so: nil and err itself for most kinds. A BGPFilter
// rejects every route, as nobody knows which ones it was to keep out.
func StandIn(key Key, err error) (Resource, error) {
	if key.Kind != KindBGPFilter || key.Name == "" {
		return nil, err
	}
	return closed(ClosedFilter(key.Name), err)
}

// ClosedFilter is a BGPFilter that rejects every route.
func ClosedFilter(name string) *BGPFilter {
	reject := []FilterRule{{}}
	return &BGPFilter{Name: name, ImportV4: reject, ExportV4: reject, ImportV6: reject, ExportV6: reject}
}

// closed is what stays of a resource that was read in part. Sessions go without
// filters that are not there, and routes past tunnels of pools that are not: what
// guards something closes.
func closed(r Resource, err error) (Resource, error) {
	left, means := remains(r)
	if p, isPool := r.(*IPPool); left == nil || isPool && !p.CIDR.IsValid() {
		return nil, err
	}
	return left, &Closed{How: "cannot be used, " + means, Err: err}
}

// Closed is the error of a resource that cannot be used, and in whose place there
// is one that lets less through.
type Closed struct {
	// How says what is done, such as "cannot be used, so all routes that get to it
	// are rejected".
	How string
	Err error // why
}

// Error says both.
func (c *Closed) Error() string { return c.How + ": " + c.Err.Error() }

// Unwrap gives the reason.
func (c *Closed) Unwrap() error { return c.Err }

// remains is what stays of a resource that cannot be used, nil where nothing
// does, and what that means, in words.
func remains(r Resource) (Resource, string) {
	switch r := r.(type) {
	case *BGPFilter:
		return &BGPFilter{
			Name: r.Name, Intent: r.Intent,
			ImportV4: rejectAll(r.ImportV4), ExportV4: rejectAll(r.ExportV4),
			ImportV6: rejectAll(r.ImportV6), ExportV6: rejectAll(r.ExportV6),
		}, "so all routes that get to it are rejected"
	case *IPPool:
		closed := *r
		closed.IPIP, closed.VXLAN = EncapNever, EncapAlways
		return &closed, "so BIRD puts no routes of it into the kernel"
	}
	return nil, "so nothing is done for it"
}

// rejectAll takes the place of rules; no rules stay none.
func rejectAll(rules []FilterRule) []FilterRule {
	if len(rules) == 0 {
		return nil
	}
	return []FilterRule{{}}
}

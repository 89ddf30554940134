package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/reload"
	"confd/templates"
)

// Candidate is what BIRD should run, for the state of a moment. It is not changed
// once it was made.
type Candidate struct {
	// Full is what the whole state asks for; nil where something that is held was
	// taken out. Config lacks what is quarantined, besides.
	Full, Config *bgp.Config
	// State is what Config was computed from.
	State    *backends.State
	Birds    birds.Daemons
	Sets     []reload.Set
	Hash     string // of Sets, 16 hex digits
	Revision string // the datastore's, of State
	// Quarantined are objects without which Config was made, each with the reason.
	Quarantined map[backends.Key]string
	// Searched: objects that BIRD refuses are among them, which were looked for.
	Searched bool
	// Changed are the objects that changed since what runs was made, sorted.
	Changed []backends.Key
	// Ended are sessions whose import filter changes and whose neighbor cannot send its
	// routes again, as far as was asked: BIRD makes them anew.
	Ended []string
	// Templates made the sets.
	Templates Templates
	Times     Times
	// files are those of Sets, as they were made; not of what was made Without.
	files []templates.File
}

// Times are when the steps of a change were done.
type Times struct {
	Event    time.Time // the oldest change in it arrived; zero: no change led to it
	Began    time.Time
	Computed time.Time
	Rendered time.Time
}

// IsRest says whether a change that is held was taken out.
func (c *Candidate) IsRest() bool { return c.Full == nil }

// ConfigOrNil is Config; nil where there is no candidate.
func (c *Candidate) ConfigOrNil() *bgp.Config {
	if c == nil {
		return nil
	}
	return c.Config
}

// Candidate renders cfg, which state asks for, for the BIRDs of a node. What it
// returns has Full set, and neither Changed nor the times before Rendered. before is
// one that was made earlier, and spares making again what is the same; nil: none.
func (p Planner) Candidate(ctx context.Context, cfg *bgp.Config, state *backends.State, d birds.Daemons, revision string, before *Candidate) (*Candidate, error) {
	var made []templates.File
	if before != nil {
		made = before.files
	}
	config, left := Fit(cfg, d.Version)
	files, err := p.RenderAfter(ctx, config, state, d.Version, made)
	if err != nil {
		return nil, err
	}
	c := &Candidate{Full: cfg, Config: config, State: state, Birds: d, Revision: revision, Templates: p.Templates, Quarantined: left, files: files}
	c.use(p.Sets(files, d))
	c.Times.Rendered = time.Now()
	return c, nil
}

// Fit is a configuration without what a version of BIRD is known not to have, and the
// objects at fault, each with the reason; nil: there are none.
func Fit(cfg *bgp.Config, v templates.Version) (*bgp.Config, map[backends.Key]string) {
	if v.HasTunnels() {
		return cfg, nil
	}
	config, pools := cfg.WithoutTunnels()
	var left map[backends.Key]string
	for _, p := range pools {
		if left == nil {
			left = map[backends.Key]string{}
		}
		left[backends.Key{Kind: backends.KindIPPool, Name: p.Name}] = (&templates.NoTunnelError{Pool: p, Version: v}).Error()
	}
	return config, left
}

// use gives the candidate its sets.
func (c *Candidate) use(sets []reload.Set) {
	for i := range sets {
		sets[i].Mark = c.Revision
	}
	c.Sets, c.Hash = sets, Hash(sets)
}

// Without is c as it is without some objects, which config and sets were made
// without: each is there with the reason.
func (c *Candidate) Without(objects map[backends.Key]string, config *bgp.Config, sets []reload.Set) *Candidate {
	reduced := *c
	reduced.Config, reduced.Searched, reduced.Quarantined = config, true, map[backends.Key]string{}
	maps.Copy(reduced.Quarantined, objects)
	maps.Copy(reduced.Quarantined, c.Quarantined) // which are known without a check
	reduced.use(sets)
	reduced.Times.Rendered = time.Now()
	return &reduced
}

// Hash names the files of sets, whatever marks they carry: 16 hex digits.
func Hash(sets []reload.Set) string {
	sum := sha256.New()
	for _, s := range sets {
		fmt.Fprintln(sum, s.Name, s.Hash())
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

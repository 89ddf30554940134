package bgp

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"confd/backends"
)

// maxPassword is how long a TCP MD5 key may be (Linux: TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

// settings gives a session what its BGPPeer says about sessions. It is false
// where the session cannot be had that way.
func (c *computer) settings(s *Session, f *Family, p peer) bool {
	password, ok := c.password(p.ResourceKey(), p.Password)
	if !ok {
		return false
	}
	s.Password = password
	if !p.NoSourceAddress {
		s.Source = f.Address
	}
	s.TTLHops = p.TTLSecurity
	s.NextHopMode = p.NextHopMode
	if !s.Reason.Reverse && p.ReachableBy.IsValid() && VersionOf(p.ReachableBy) == f.Version {
		s.ReachableBy = p.ReachableBy
	}
	s.NextHop = nextHop(p.BGPPeer, s.AS == s.LocalAS)
	s.GracefulRestartTime = c.restartTime(p.ResourceKey(), p.MaxRestartTime)
	s.KeepaliveTime = c.keepaliveTime(p)
	c.peerFilters(s, f.Version, p)
	return true
}

// nextHop follows nextHopMode where it is set, and keepOriginalNextHop (which
// means external sessions only) where it is not.
func nextHop(p *backends.BGPPeer, internal bool) NextHop {
	switch {
	case p.NextHopMode == backends.NextHopSelf:
		return NextHopSelf
	case p.NextHopMode == backends.NextHopKeep:
		return NextHopKeep
	case p.NextHopMode == "" && p.KeepOriginalNextHop && !internal:
		return NextHopKeep
	}
	return NextHopDefault
}

func (c *computer) peerFilters(s *Session, version int, p peer) {
	for _, name := range p.Filters {
		f, ok := c.filter(p, name)
		if !ok {
			continue
		}
		s.Filters = append(s.Filters, name)
		in, out := f.ImportV4, f.ExportV4
		if version == 6 {
			in, out = f.ImportV6, f.ExportV6
		}
		s.Import = appendCall(s.Import, name, in)
		s.Export = appendCall(s.Export, name, out)
	}
}

// filter looks up a BGPFilter of p. One that is known not to be there leaves
// sessions open, as in Calico, unless the options say otherwise; one that may be
// among what cannot be read closes them.
func (c *computer) filter(p peer, name string) (*backends.BGPFilter, bool) {
	if f, ok := c.state.BGPFilters[name]; ok {
		return f, true
	}
	if f, ok := c.standIns[name]; ok {
		return f, true
	}
	switch {
	case c.unread != "":
		c.problem(p.ResourceKey(), CodeNoSuchFilter, true, "names the BGPFilter %q, which is not there, but may be in what cannot be read (%s): its sessions reject all routes", name, c.unread)
	case c.options.CloseMissingFilters:
		c.problem(p.ResourceKey(), CodeNoSuchFilter, true, "names the BGPFilter %q, which does not exist: its sessions reject all routes", name)
	default:
		c.problem(p.ResourceKey(), CodeNoSuchFilter, false, "names the BGPFilter %q, which does not exist: its sessions run unfiltered where that would filter (--missing-filters=closed has them reject all routes instead)", name)
		return nil, false
	}
	c.standIns[name] = backends.ClosedFilter(name)
	return c.standIns[name], true
}

// unreadOf names the first thing that cannot be read and may hold any object;
// empty where there is none.
func unreadOf(s *backends.State) string {
	first := backends.Key{}
	for key := range s.Invalid {
		if key.Kind == backends.KindFile && (first == backends.Key{} || key.Compare(first) < 0) {
			first = key
		}
	}
	return first.Name
}

func appendCall(calls []FilterCall, name string, rules []backends.FilterRule) []FilterCall {
	if len(rules) == 0 {
		return calls
	}
	call := FilterCall{Filter: name}
	for _, r := range rules {
		call.BySession = call.BySession || r.PeerType != ""
	}
	return append(calls, call)
}

// password looks up a password for the sessions of owner. One that is missing
// is reported and counts as none, as in Calico; false means that the password
// is there and no BIRD could use it: a session without it would never come up,
// or be open to anybody.
func (c *computer) password(owner backends.Key, ref *backends.SecretKeyRef) (string, bool) {
	if ref == nil {
		return "", true
	}
	if ref.Name == "" {
		return c.noPassword(owner, "asks for a password and does not say in which Secret, and by which key, it is")
	}
	key := backends.Key{Kind: backends.KindSecret, Namespace: c.options.SecretNamespace, Name: ref.Name}
	secret, ok := c.state.Secrets[key]
	if !ok {
		why := "does not exist"
		if err, unreadable := c.state.Invalid[key]; unreadable {
			why = fmt.Sprintf("cannot be read (%v)", err)
		}
		return c.noPassword(owner, "%s, which has its password, %s", key, why)
	}
	password, ok := secret.Data[ref.Key]
	if !ok {
		return c.noPassword(owner, "%s has no key %q for its password", key, ref.Key)
	}
	if password == "" {
		return c.noPassword(owner, "%s has an empty key %q for its password", key, ref.Key)
	}
	if why := badPassword(password); why != "" {
		c.problem(owner, CodeBadPassword, true, "its sessions are left out: the password in %s, key %q, %s", key, ref.Key, why)
		return "", false
	}
	return password, true
}

// noPassword reports that a password is not there, and says whether the
// sessions of owner are to go without it.
func (c *computer) noPassword(owner backends.Key, format string, args ...any) (string, bool) {
	what := "go without a password"
	if c.options.RequirePasswords {
		what = "are left out"
	}
	c.problem(owner, CodeNoPassword, c.options.RequirePasswords, "%s: its sessions %s", fmt.Sprintf(format, args...), what)
	return "", !c.options.RequirePasswords
}

func badPassword(p string) string {
	switch {
	case len(p) > maxPassword:
		return fmt.Sprintf("has %d bytes; TCP MD5 takes at most %d", len(p), maxPassword)
	case strings.ContainsFunc(p, unicode.IsControl):
		return "holds control characters (a newline at its end?), which BIRD's configuration cannot"
	case strings.Contains(p, `"`):
		return "holds a quotation mark, which BIRD's configuration cannot"
	}
	return ""
}

// maxRestartTime is what fits into the 12 bits of RFC 4724, in seconds.
const maxRestartTime = 4095

func (c *computer) restartTime(owner backends.Key, t *time.Duration) *uint32 {
	if t == nil {
		return nil
	}
	if *t > maxRestartTime*time.Second {
		c.problem(owner, CodeTimeOutOfRange, false, "its restart time of %s is more than BGP can say: %d s is used", *t, maxRestartTime)
	}
	s := RestartSeconds(*t)
	return &s
}

// RestartSeconds is a restart time as sessions have it: in whole seconds, and no more than
// BGP can say.
func RestartSeconds(t time.Duration) uint32 { return *seconds(min(t, maxRestartTime*time.Second)) }

// maxKeepaliveTime is half of the longest hold time (RFC 4271), in seconds: past
// that BIRD warns.
const maxKeepaliveTime = 65535 / 2

func (c *computer) keepaliveTime(p peer) *uint32 {
	switch t := p.KeepaliveTime; {
	case t == nil:
		return nil
	case *t > maxKeepaliveTime*time.Second:
		c.problem(p.ResourceKey(), CodeTimeOutOfRange, false, "its keepalive time of %s is more than half of the longest hold time that there is: %d s is used", *t, maxKeepaliveTime)
		return seconds(maxKeepaliveTime * time.Second)
	case *t < time.Second:
		c.problem(p.ResourceKey(), CodeTimeOutOfRange, false, "its keepalive time of %s is less than BGP can say: 1 s is used", *t)
		return seconds(time.Second)
	default:
		return seconds(*t)
	}
}

// seconds rounds to whole seconds, but never a positive time to none.
func seconds(d time.Duration) *uint32 {
	n := uint32(d.Round(time.Second) / time.Second)
	if n == 0 && d > 0 {
		n = 1
	}
	return &n
}

// UsablePassword says whether a session can have that password.
func UsablePassword(p string) bool { return badPassword(p) == "" }

// HiddenPassword is what stands in for a password that a session can have.
const HiddenPassword = "hidden"

// StandIn is a text to show in the place of a password: one that a session can have where
// it can have p, and else one of which the same is wrong.
func StandIn(p string) string {
	if p == "" {
		return ""
	}
	why := badPassword(p)
	for _, text := range []string{HiddenPassword, HiddenPassword + "\n", HiddenPassword + `"`} {
		if badPassword(text) == why {
			return text
		}
	}
	return strings.Repeat(HiddenPassword, len(p)/len(HiddenPassword)+1)[:len(p)] // it is too long
}

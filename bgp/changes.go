package bgp

import "reflect"

// Changes are the sessions that differ between two configurations, by name.
type Changes struct {
	Added, Removed, Changed []string
}

// Compare says how the sessions of new differ from those of old, which may be
// nil. Names are in order, IPv4 first.
func Compare(old, new *Config) Changes {
	var c Changes
	if old == nil {
		old = &Config{}
	}
	before := old.Families()
	for i, f := range new.Families() {
		c.compare(before[i].Sessions, f.Sessions)
	}
	return c
}

// compare walks two lists that are sorted by name.
func (c *Changes) compare(old, new []Session) {
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(old) == 0 || len(new) > 0 && new[0].Name < old[0].Name:
			c.Added = append(c.Added, new[0].Name)
			new = new[1:]
		case len(new) == 0 || old[0].Name < new[0].Name:
			c.Removed = append(c.Removed, old[0].Name)
			old = old[1:]
		default:
			if !reflect.DeepEqual(old[0], new[0]) {
				c.Changed = append(c.Changed, old[0].Name)
			}
			old, new = old[1:], new[1:]
		}
	}
}

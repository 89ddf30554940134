package inbox

// Stores are how far the stores have come, by source.
func (in *Inbox) Stores() map[string]Store {
	stores := map[string]Store{}
	for name, s := range in.sources {
		if s.cluster != "" || s.revision != "" {
			stores[name] = Store{s.cluster, s.revision}
		}
	}
	return stores
}

// Remember takes over how far the stores had come before the program was started.
func (in *Inbox) Remember(stores map[string]Store) {
	for name, then := range stores {
		if s := in.sources[name]; s != nil {
			in.Trust.compare(name, then, Store{s.cluster, s.revision})
			if s.cluster == "" && s.revision == "" {
				s.cluster, s.revision = then.Cluster, then.Revision
			}
		}
	}
}

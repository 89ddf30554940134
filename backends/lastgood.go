package backends

import (
	"errors"
	"fmt"
)

// keepsGood says whether the last good version of a kind stays where nothing can be
// read of an object any more: where there is none of it, the whole cluster falls
// back to defaults, or routes are told that were not to be.
func keepsGood(kind Kind) bool { return kind == KindBGPConfiguration || kind == KindIPPool }

// KeepGood is e, with the object's last good version in it where nothing can be read
// of it any more and s has one. For events as they arrive: what Apply does with
// others is for those to say who make them.
func (s *State) KeepGood(e Event) Event {
	if e.Err == nil || e.Resource != nil || !keepsGood(e.Key.Kind) {
		return e
	}
	if was, ok := s.Get(e.Key); ok {
		e.Resource, e.Err = was, kept(e.Err)
	}
	return e
}

// RestoreGood gives s the last good versions that another state has of objects of
// which nothing can be read: one from before this program was started, say.
func (s *State) RestoreGood(from *State) {
	for key, err := range s.Invalid {
		_, has := s.Get(key)
		if was, ok := from.Get(key); ok && !has && keepsGood(key.Kind) {
			s.Apply(Event{Key: key, Resource: was, Err: kept(err), Warnings: s.Warnings[key]})
		}
	}
}

// kept is err, with what becomes of the object.
func kept(err error) error {
	const means = "cannot be used, so its last good version stays: "
	var w *Warning
	if errors.As(err, &w) {
		said := *w
		said.Text = means + w.Text
		return &said
	}
	return fmt.Errorf("%s%w", means, err)
}

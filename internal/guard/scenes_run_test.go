package guard

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestScenes(t *testing.T) {
	for _, s := range scenes() {
		t.Run(s.what, func(t *testing.T) {
			v := s.happens(newWorld(t, s.before()))
			if got := heldText(v); v.Held != (s.want != goesLive) || v.Held && got != s.want {
				t.Errorf("held %t: %s\nwant %s", v.Held, got, s.want)
			}
			if diff := cmp.Diff(s.because, v.Objects, cmpopts.EquateEmpty()); diff != "" && v.Held {
				t.Error(diff)
			}
		})
	}
}

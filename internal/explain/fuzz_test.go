package explain

import "testing"

// FuzzParseRoute: whatever somebody gives as a route is one, or an error.
func FuzzParseRoute(f *testing.F) {
	for _, text := range []string{"10.0.0.0/26", "fd00::1", "::ffff:10.0.0.1", "10.0.0.1,peer,community=65000:1,path=1 2,priority=512", "10.0.0.0/8,metric=", ",", "10.0.0.0/8,,", "10.0.0.0/8,priority=4294967295"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, _, err := ParseRoute(text)
		if err != nil {
			return
		}
		if !r.Net.IsValid() || r.Net != r.Net.Masked() || r.Net.Addr().Is4In6() {
			t.Errorf("%q is %s", text, r.Net)
		}
	})
}

package guard

import "confd/backends"

// salted is a Secret without secrets.
func salted(s *backends.Secret, salt Salt) *backends.Secret {
	out := *s
	out.Data = make(map[string]string, len(s.Data))
	for k, v := range s.Data {
		out.Data[k] = salt.Of(v)
	}
	return &out
}

package outline

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"confd/backends"
	"confd/bgp"
)

// Salt makes of a secret what tells whether another one is the same, and nothing
// else to those who do not have it. It is one node's own; keep it as a secret.
type Salt []byte

// mark starts what Salt made of a secret.
const mark = "salted:"

// Of is what is made of a secret; of what was made already, that itself. What no
// password can be (bgp leaves its sessions out) stays so.
func (s Salt) Of(secret string) string {
	digits, marked := strings.CutPrefix(strings.TrimPrefix(secret, "\n"), mark)
	if _, err := hex.DecodeString(digits); secret == "" || marked && err == nil && len(digits) == 32 {
		return secret
	}
	sum := hmac.New(sha256.New, s)
	sum.Write([]byte(secret))
	out := mark + hex.EncodeToString(sum.Sum(nil))[:32]
	if !bgp.UsablePassword(secret) {
		out = "\n" + out
	}
	return out
}

// Secret is a Secret without secrets.
func (s Salt) Secret(r *backends.Secret) *backends.Secret {
	out := *r
	out.Data = make(map[string]string, len(r.Data))
	for k, v := range r.Data {
		out.Data[k] = s.Of(v)
	}
	return &out
}

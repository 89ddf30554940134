package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"confd/backends"
)

// idOf names what is held by what the objects that are the reason say now. Where
// there are none it is the sessions and routes that go.
func (j *judgement) idOf(reasons map[backends.Key]aspect, list []finding) string {
	var parts []string
	for key, about := range reasons {
		parts = append(parts, key.String()+" "+j.publicEssence(key, about))
	}
	if len(parts) == 0 {
		for _, f := range list {
			parts = append(parts, f.lost...)
			parts = append(parts, f.routes...)
		}
	}
	slices.Sort(parts)
	return shortHash(strings.Join(slices.Compact(parts), "\n"))
}

// publicEssence is an object's essence that is the same on every node. Of a Secret
// it is a number that tells one from thousands of others: that is enough to know
// it again, and too little to find it out.
func (j *judgement) publicEssence(key backends.Key, about aspect) string {
	secret, ok := j.state.Secrets[key]
	if key.Kind != backends.KindSecret || !ok {
		return essenceOf(j.state, key, about, nil)
	}
	return shortHash(fmt.Sprint(key, secret.Data))[:3]
}

// shortHash is 16 hexadecimal digits of the text's SHA-256.
func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:16]
}

package asyaml

import (
	"encoding/json"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestFromJSON has every character that a text can hold come back from YAML as it was.
func TestFromJSON(t *testing.T) {
	for first := rune(0); first <= 0x101ff; first += 0x100 {
		if first >= 0xd800 && first < 0xe000 {
			continue // no characters
		}
		texts := map[string]string{}
		for r := first; r < first+0x100; r++ {
			texts["k"+string(r)+"k"] = "a" + string(r) + "z"
		}
		text, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		out, err := FromJSON(text)
		if err != nil {
			t.Errorf("from U+%04X: %v", first, err)
			continue
		}
		got := map[string]string{}
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Errorf("from U+%04X: %v", first, err)
		}
		for key, want := range texts {
			if got[key] != want {
				t.Errorf("%q: %q", want, got[key])
			}
		}
	}
}

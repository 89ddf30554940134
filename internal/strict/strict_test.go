package strict

import (
	"errors"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		line       int
	}{
		{"src = \"a\"\ndest = \"b\"\n[env]\nPATH = \"x\"\nPath = \"y\"\n", "", 0},
		{"[[x]]\na = 1\n[[x]]\na = 2\n", "", 0},
		{"SRC = \"a\"\n", "", 0},
		{"src = \"a\"\n# SRC\nSRC = \"b\"\n", "src is there twice: src and SRC are one key to the program; remove one", 3},
		{"[template]\nsrc = \"a\"\n\"Src\" = \"b\"\n", "src is there twice: template.src and template.Src are one key to the program; remove one", 3},
		{"[template]\nsrc = \"a\"\n[Template]\ndest = \"b\"\n", "template is there twice: template and Template are one key to the program; remove one", 3},
		{"a = {b = 1, B = 2}\n", "b is there twice: a.b and a.B are one key to the program; remove one", 1},
		{"[env]\nA = \"1\"\n[Env]\nb = \"2\"\n", "env is there twice: env and Env are one key to the program; remove one", 3},
		{"x = \n", "expected value but found '\\n' instead", 1},
	} {
		var into map[string]any
		_, err := Decode(tc.text, &into, "env")
		var p toml.ParseError
		switch {
		case tc.want == "" && err == nil:
		case !errors.As(err, &p):
			t.Errorf("%q: %v", tc.text, err)
		case p.Message != tc.want || p.Position.Line != tc.line:
			t.Errorf("%q: got line %d: %s", tc.text, p.Position.Line, p.Message)
		}
	}
}

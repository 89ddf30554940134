package strict

import (
	"errors"
	"testing"

	"github.com/BurntSushi/toml"
)

// TestWrongTypes: TOML's words are said, and not Go's; a table that is none is noticed.
func TestWrongTypes(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nname = 5\n":    "name: is of a wrong type; it must be a text, in quotes",
		"a = 1\nlist = 5\n":    "list: is of a wrong type; it must be a list",
		"a = 1\nlist = [5]\n":  "list: is of a wrong type; it must be a text, in quotes",
		"a = 1\nyes = \"x\"\n": "yes: is of a wrong type; it must be true or false",
		"a = 1\nn = \"x\"\n":   "n: is of a wrong type; it must be a number",
		"a = 1\ntab = 5\n":     "tab: is of a wrong type; it must be a table, such as [tab]",
		"a = 1\nenv = 5\n":     "env: is of a wrong type; it must be a table, such as [env]",
		"a = 1\nenv = [\"x\"]": "env: is of a wrong type; it must be a table, such as [env]",
		"a = 1\nenv.x = 5":     "env.x: is of a wrong type; it must be a text, in quotes",
	} {
		var into struct {
			A    int
			Name string
			List []string
			Yes  bool
			N    int
			Tab  struct{ X int }
			Env  map[string]string
		}
		_, err := Decode(text, &into, "env")
		if p := (toml.ParseError{}); !errors.As(err, &p) || p.Message != want || p.Position.Line != 2 {
			t.Errorf("%q: %v at line %d, want %q", text, err, p.Position.Line, want)
		}
	}
}

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

package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/internal/settings"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

func TestDocsReference(t *testing.T) {
	const path = "../docs/reference.md"
	got := call(t, nil, "docs")
	if got.code != exitGood {
		t.Fatal(got.stderr)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.stdout); diff != "" {
		t.Errorf("%s is not what the program says (go test ./confd -run Docs -update rewrites it):\n%s", path, diff)
	}
}

func TestDocsEverySettingIsExplained(t *testing.T) {
	for _, s := range settings.Table() {
		if s.Help == "" || strings.ContainsAny(s.Help, "\n`") || strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s needs a help text of one line, without a full stop and backquotes: %q", s.Name, s.Help)
		}
		if !slices.Contains(settings.Groups(), s.Group) {
			t.Errorf("%s is in no group of help and reference: %q", s.Name, s.Group)
		}
		if s.Default != "" && s.Computed != "" {
			t.Errorf("%s has two defaults", s.Name)
		}
		if s.Env == "" && s.NoFlag {
			t.Errorf("%s cannot be given", s.Name)
		}
	}
}

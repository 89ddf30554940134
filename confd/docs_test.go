package main

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/bgp"

	"confd/internal/settings"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// TestDocsPages compares the pages that the program makes with those in docs.
func TestDocsPages(t *testing.T) {
	for path, args := range map[string][]string{"../docs/reference.md": {"docs"}, "../docs/input.md": {"docs", "input"}} {
		got := call(t, nil, args...)
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
}

// codeConstant finds constants of type Code in Go source.
var codeConstant = regexp.MustCompile(`(?m)^\t\w+\s+(?:backends\.)?Code = "([a-z-]+)"$`)

// TestDocsEveryCodeIsExplained fails where a code is missing in the tables that
// the page is made of.
func TestDocsEveryCodeIsExplained(t *testing.T) {
	for path, table := range map[string][]backends.CodeInfo{"../backends/codes.go": backends.Codes(), "../bgp/codes.go": bgp.Codes()} {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var declared, explained []string
		for _, m := range codeConstant.FindAllStringSubmatch(string(source), -1) {
			declared = append(declared, m[1])
		}
		for _, c := range table {
			explained = append(explained, string(c.Code))
			if c.Says == "" || c.Means == "" || c.Do == "" {
				t.Errorf("%s: %s is not explained", path, c.Code)
			}
		}
		slices.Sort(declared)
		slices.Sort(explained)
		if diff := cmp.Diff(declared, explained); diff != "" || len(declared) < 10 {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// spacedTime is a time that no flag takes as it stands.
var spacedTime = regexp.MustCompile(`\d+ (ms|s|m|h|seconds?|minutes?)\b|\dm0s`)

func TestDocsEverySettingIsExplained(t *testing.T) {
	for _, s := range settings.Table() {
		if s.Help == "" || strings.ContainsAny(s.Help, "\n`") || strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s needs a help text of one line, without a full stop and backquotes: %q", s.Name, s.Help)
		}
		if m := spacedTime.FindString(s.Help + " " + s.DefaultText()); m != "" {
			t.Errorf("%s says %q: times are as flags have them, such as 5s", s.Name, m)
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

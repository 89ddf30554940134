package unified

import (
	"strings"
	"testing"
)

// hidden is a diff of a file without passwords.
func hidden(name, old, new string) string { return Hidden(Diff(name, old, name+" (new)", new)) }

func TestDiffsHidePasswords(t *testing.T) {
	for _, text := range []string{
		`  password "s3cret";`, `  password"s3cret";`, "  password\n    \"s3cret\";", `  password s3cret;`, `  secret "s3cret";`, `password "s3cret"; # not s3cre`,
	} {
		got := hidden("bird.conf", "other\n", text+"\n")
		if strings.Contains(got, "s3cret") || !strings.Contains(got, "(hidden)") {
			t.Errorf("%q: the diff is\n%s", text, got)
		}
	}
}

func TestUnifiedColours(t *testing.T) {
	diff := hidden("/f", "a\n--x\nb\n", "a\n  password \"p\";\nb\n")
	want := "\x1b[1m--- /f\x1b[m\n\x1b[1m+++ /f (new)\x1b[m\n\x1b[36m@@ -1,3 +1,3 @@\x1b[m\n a\n\x1b[31m---x\x1b[m\n\x1b[32m+  password \"(hidden)\";\x1b[m\n b\n"
	if got := Coloured(diff); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestUnifiedIsQuick: texts that have nothing in common, as large as a mesh of
// 5,000 nodes makes them.
func TestUnifiedIsQuick(t *testing.T) {
	line := func(s string) string { return strings.Repeat(s+"\n  passive on;\n}\n", 50_000) }
	if diff := hidden("/f", line("old"), line("new")); len(diff) < 1_000_000 {
		t.Errorf("%d bytes", len(diff))
	}
}

func TestDiff(t *testing.T) {
	long := strings.Repeat("line\n", 50000)
	for _, c := range []struct{ old, new, want string }{
		{"a\n", "a\n", ""},
		{"a\nb\n", "a\nc\n", "--- f\n+++ g\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
		{"a", "a\n", "--- f\n+++ g\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{long + "x\n", long, "--- f\n+++ g\n@@ -49998,4 +49998,3 @@\n line\n line\n line\n-x\n"},
	} {
		if got := Diff("f", c.old, "g", c.new); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

package main

import (
	"strings"
	"testing"
)

func TestDiffsHidePasswords(t *testing.T) {
	for _, text := range []string{
		`  password "s3cret";`, `  password"s3cret";`, "  password\n    \"s3cret\";", `  password s3cret;`, `  secret "s3cret";`, `password "s3cret"; # not s3cre`,
	} {
		got := unifiedDiff("bird.conf", "other\n", text+"\n")
		if strings.Contains(got, "s3cret") || !strings.Contains(got, "(hidden)") {
			t.Errorf("%q: the diff is\n%s", text, got)
		}
	}
}

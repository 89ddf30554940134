package lab_test

import (
	"flag"
	"testing"

	"confd/internal/lab"
)

var all = flag.Bool("all", false, "run all scenarios, with all versions of BIRD, instead of a short set")

func TestMain(m *testing.M) { lab.Main(m) }

// long skips the test where only the short set is run.
func long(t *testing.T) {
	t.Helper()
	if !*all {
		t.Skip("left out of the short set: -all runs it")
	}
}

// versions are the BIRDs that a scenario is run with: the short set takes the first.
func versions(list ...string) []string {
	if *all {
		return list
	}
	return list[:1]
}

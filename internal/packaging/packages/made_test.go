package packages_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/packages"
	"confd/internal/packaging/source"
)

var folder = flag.String("packages", "", "keep the packages in this `folder`, and take them from there where there are some")

func TestMain(m *testing.M) {
	flag.Parse()
	if *folder != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "confd-packages-")
	if err != nil {
		panic(err)
	}
	*folder = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// made are the packages of one version for this machine.
type made struct{ version, deb, rpm string }

// build makes the packages of a version of this tree, where no test did before.
func build(t *testing.T, version string) made {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(*folder, version))
	if err != nil {
		t.Fatal(err)
	}
	debs, _ := filepath.Glob(dir + "/*.deb")
	rpms, _ := filepath.Glob(dir + "/*.rpm")
	if len(debs) == 1 && len(rpms) == 1 {
		return made{version, debs[0], rpms[0]}
	}
	ctx := context.Background()
	tree, err := source.Read(ctx, ".", version)
	if err != nil {
		t.Fatal(err)
	}
	built, papers, err := contents.Build(ctx, tree, dir, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := packages.Build(ctx, tree, built, papers, dir)
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	return made{version, paths[0], paths[1]}
}

// Package packages makes packages for Debian (deb) and Fedora and its kin (rpm),
// without root and without the tools of either.
package packages

import (
	"context"
	"embed"
	"fmt"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/rpm"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// scripts are what the package managers run, as FORMAT/NAME.
//
//go:embed deb rpm
var scripts embed.FS

// Build makes the packages of all programs in the folder out, and returns their paths.
func Build(ctx context.Context, tree source.Tree, built []programs.Program, papers contents.Papers, out string) ([]string, error) {
	var paths []string
	for _, p := range built {
		for _, format := range formats() {
			path, err := format.build(tree, p, papers, out)
			if err != nil {
				return nil, fmt.Errorf("the %s for %s: %w", format.name, p.Architecture, err)
			}
			paths = append(paths, path)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

// format is a kind of package.
type format struct {
	name        string // as nfpm and the files' names have it
	packager    packager
	description string
	scripts     scriptNames
	units       string                                             // folder that systemd takes units from
	zsh         string                                             // folder that zsh takes completions from
	own         func(source.Tree, contents.Papers) []contents.File // that this kind has alone
	texts       func(source.Tree) map[string][]byte                // that this kind has alone, to be compressed
	finish      func(*nfpm.Info)                                   // what this kind says otherwise
}

// packager is what we need of nfpm's.
type packager interface {
	nfpm.Packager
	ConventionalFileName(*nfpm.Info) string
}

// scriptNames are the names of the scripts for each occasion.
type scriptNames struct{ postInstall, preRemove, postRemove string }

func formats() []format {
	return []format{
		{
			name: "deb", packager: deb.Default, description: summary + "\n" + about, units: "/lib/systemd/system", zsh: "/usr/share/zsh/vendor-completions",
			own: debianFiles, texts: debianTexts, scripts: scriptNames{"postinst", "prerm", "postrm"},
			finish: func(i *nfpm.Info) {
				i.Recommends = []string{"bird2 | bird3 | bird"}
				i.Deb.Compression = "xz"
			},
		},
		{
			name: "rpm", packager: rpm.DefaultRPM, description: about, units: "/usr/lib/systemd/system", zsh: "/usr/share/zsh/site-functions",
			own: rpmFiles, texts: func(source.Tree) map[string][]byte { return nil }, scripts: scriptNames{"post", "preun", "postun"},
			finish: func(i *nfpm.Info) {
				i.Recommends = []string{"bird"}
				i.RPM = nfpm.RPM{BuildHost: "localhost", Summary: summary, Compression: "zstd", Packager: maintainer}
			},
		},
	}
}

const (
	maintainer = "confd maintainers <maintainers@confd-bird.io>"
	summary    = "keeps BIRD's configuration true to what a Calico cluster says"
	about      = `confd runs beside a BIRD routing daemon on a node of a Calico cluster. It
reads what the cluster says about BGP from etcd, Kubernetes, Typha or files,
writes BIRD's configuration, has BIRD check it and take it over, and looks
whether the sessions stand.

Nothing runs until it is configured and enabled.`
)

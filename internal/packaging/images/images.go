// Package images makes container images of the programs and of BIRD, without Docker
// and without rights: the same tree makes the same bytes.
package images

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"confd/internal/packaging/source"
)

// User is who confd runs as in its own image, as number of user and group. Root is not
// needed. What it writes BIRD must be able to read, and BIRD's control socket it must
// be able to write: the manifests give both a common group (fsGroup).
const User = "65532:65532"

// ExecCommand is what BIRD is run with, and by, in the image with both: with -d its log
// goes to the container's, with -R it waits, when it starts, for the routes that its
// peers have kept.
const ExecCommand = "run-bird /run/bird/bird.ctl bird -d -R -c /etc/bird/bird.conf -s /run/bird/bird.ctl"

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// recipe is how an image is made.
type recipe struct {
	name, about string
	withBIRD    bool
	config      v1.Config
	layers      func(context.Context, kitchen) ([]files, error)
}

// kitchen is what images of one architecture are made from.
type kitchen struct {
	tree    source.Tree
	debian  distribution
	program []byte // confd
	papers  files  // whose rights are in it
}

// withProgram are layers: what changes less, and the program.
func (k kitchen) withProgram(name string, below files) []files {
	program := maps.Clone(k.papers)
	program.add(name, 0o755, k.program)
	return []files{below, program}
}

func recipes() []recipe {
	return []recipe{
		{
			name: "confd", about: "Keeps the configuration of a BIRD beside it as a Calico cluster says",

			config: v1.Config{User: User, Entrypoint: []string{"/confd"}, WorkingDir: "/"},
			layers: func(ctx context.Context, k kitchen) ([]files, error) {
				certificates, err := k.debian.certificates(ctx)
				return k.withProgram("confd", certificates), err
			},
		},
		{
			name: "bird", about: "BIRD, from Debian", withBIRD: true,
			config: v1.Config{Cmd: []string{"bird", "-f"}, Env: []string{searchPath}, WorkingDir: "/"},
			layers: func(ctx context.Context, k kitchen) ([]files, error) {
				bird, err := k.debian.bird(ctx)
				return []files{bird}, err
			},
		},
		{
			name: "confd-bird", about: "BIRD, from Debian, and what keeps its configuration as a Calico cluster says, and runs it", withBIRD: true,
			config: v1.Config{Entrypoint: []string{"confd"}, Cmd: []string{"run"}, Env: []string{searchPath, "CONFD_EXEC=" + ExecCommand}, WorkingDir: "/"},
			layers: oneContainer,
		},
		{
			name: "confd-installer", about: "confd, to be copied into the pods of calico-node",
			config: v1.Config{User: User, Cmd: []string{"cp", "/confd", "/opt/confd/confd"}, Env: []string{searchPath}, WorkingDir: "/"},
			layers: func(ctx context.Context, k kitchen) ([]files, error) {
				copier, err := k.debian.busybox(ctx, "cp", "sh")
				return k.withProgram("confd", copier), err
			},
		},
	}
}

func oneContainer(ctx context.Context, k kitchen) ([]files, error) {
	bird, err := k.debian.bird(ctx)
	if err != nil {
		return nil, err
	}
	certificates, err := k.debian.certificates(ctx)
	if err != nil {
		return nil, err
	}
	script, err := os.ReadFile(filepath.Join(k.tree.Dir, "etc", "run-bird"))
	if err != nil {
		return nil, fmt.Errorf("the script that runs BIRD: %w", err)
	}
	certificates.add("usr/local/bin/run-bird", 0o755, script)
	return append([]files{bird}, k.withProgram("usr/local/bin/confd", certificates)...), nil
}

package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/debian"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// Image is an image for each architecture that there is a program for.
type Image struct {
	Name          string // without a registry
	Version       string // which is its tag, too
	Architectures []string
	Images        []v1.Image // of each of the architectures
	labels        map[string]string
}

// Build makes all images of the programs, which were built from the tree. Debian's
// packages are kept in the store.
func Build(ctx context.Context, tree source.Tree, built []programs.Program, papers contents.Papers, store debian.Store) ([]Image, error) {
	images := make([]Image, 0, len(recipes()))
	for _, r := range recipes() {
		images = append(images, Image{Name: r.name, Version: tree.Version})
	}
	for _, program := range built {
		k, err := newKitchen(ctx, tree, program, papers, store)
		if err != nil {
			return nil, fmt.Errorf("images for %s: %w", program.Architecture, err)
		}
		for i, r := range recipes() {
			image, labels, err := r.cook(ctx, k, program.Architecture)
			if err != nil {
				return nil, fmt.Errorf("image %s for %s: %w", r.name, program.Architecture, err)
			}
			images[i].Architectures = append(images[i].Architectures, program.Architecture)
			images[i].Images = append(images[i].Images, image)
			images[i].labels = labels
		}
	}
	return images, nil
}

func newKitchen(ctx context.Context, tree source.Tree, program programs.Program, papers contents.Papers, store debian.Store) (kitchen, error) {
	content, err := os.ReadFile(program.Path)
	if err != nil {
		return kitchen{}, fmt.Errorf("the program: %w", err)
	}
	packages, err := newDistribution(ctx, store, program.Architecture)
	return kitchen{tree: tree, debian: packages, program: content, papers: rights(papers)}, err
}

// rights are the licences of confd and of all that is in it.
func rights(papers contents.Papers) files {
	f := files{}
	f.add("usr/share/doc/confd/LICENSE", 0o644, papers.Licence)
	f.add("usr/share/doc/confd/NOTICES", 0o644, papers.Notices)
	return f
}

// cook is the image of an architecture, and its labels.
func (r recipe) cook(ctx context.Context, k kitchen, architecture string) (v1.Image, map[string]string, error) {
	bird, err := k.debian.version("bird2")
	if err != nil {
		return nil, nil, err
	}
	parts, err := r.layers(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	config := r.config
	config.Labels = labels(r, k.tree, bird)
	image, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), &v1.ConfigFile{
		Architecture: architecture, OS: "linux", Created: v1.Time{Time: k.tree.Time}, Config: config, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, nil, err
	}
	for _, part := range parts {
		layer, err := part.layer(k.tree.Time)
		if err != nil {
			return nil, nil, err
		}
		history := v1.History{Created: v1.Time{Time: k.tree.Time}, CreatedBy: "confd packaging", Comment: fmt.Sprintf("%d files and folders", len(part))}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: history, MediaType: types.OCILayer}); err != nil {
			return nil, nil, err
		}
	}
	return image, config.Labels, nil
}

// labels are what the image says of itself, by the names that OCI has for that.
func labels(r recipe, tree source.Tree, bird string) map[string]string {
	const oci = "org.opencontainers.image."
	l := map[string]string{
		oci + "title": r.name, oci + "description": r.about, oci + "version": tree.Version, oci + "revision": tree.Commit,
		oci + "created": tree.Time.Format(time.RFC3339),
	}
	if r.withBIRD {
		l["confd-bird.io/bird-version"] = bird
	}
	return l
}

// Write writes an image below a folder: as an OCI layout with all architectures, NAME,
// and for each as an archive that docker load takes, NAME_ARCHITECTURE.tar. What was
// there by these names goes.
func (i Image) Write(dir string) error {
	folder := filepath.Join(dir, i.Name)
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	path, err := layout.Write(folder, empty.Index)
	if err == nil {
		err = path.AppendIndex(i.Index(), layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": i.Version}))
	}
	if err != nil {
		return fmt.Errorf("image %s as OCI layout: %w", i.Name, err)
	}
	tag, err := name.NewTag(i.Name+":"+i.Version, name.WithDefaultRegistry(""))
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	for n, image := range i.Images {
		archive := filepath.Join(dir, i.Name+"_"+i.Architectures[n]+".tar")
		if err := tarball.WriteToFile(archive, tag, image); err != nil {
			return fmt.Errorf("image %s as an archive: %w", i.Name, err)
		}
	}
	return nil
}

// Push sends the image with all architectures to a registry, as registry/NAME:VERSION.
// Who that is allowed to is asked of Docker's configuration.
func (i Image) Push(ctx context.Context, registry string) error {
	to, err := name.NewTag(strings.TrimSuffix(registry, "/") + "/" + i.Name + ":" + i.Version)
	if err != nil {
		return fmt.Errorf("pushing %s: %w", i.Name, err)
	}
	if err := remote.WriteIndex(to, i.Index(), remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("pushing %s: %w", to, err)
	}
	return nil
}

// Index is the image with all architectures.
func (i Image) Index() v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for n, image := range i.Images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: i.Architectures[n]},
		}})
	}
	return mutate.Annotations(index, i.labels).(v1.ImageIndex)
}

package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// files are what a layer holds, by path without a slash in front. All belong to
// root.
type files map[string]file

// file is a regular one, a symbolic link or a folder.
type file struct {
	kind    byte  // as in an archive: tar.TypeReg, TypeSymlink, TypeDir
	mode    int64 // permissions, with setuid and the like
	link    string
	content []byte
}

func (f files) add(name string, mode int64, content []byte) {
	f.parents(name)
	f[name] = file{kind: tar.TypeReg, mode: mode, content: content}
}

func (f files) link(name, to string) {
	f.parents(name)
	f[name] = file{kind: tar.TypeSymlink, mode: 0o777, link: to}
}

func (f files) folder(name string, mode int64) {
	f.parents(name)
	f[name] = file{kind: tar.TypeDir, mode: mode}
}

// parents adds the folders above that are not there yet.
func (f files) parents(name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, there := f[dir]; !there {
			f[dir] = file{kind: tar.TypeDir, mode: 0o755}
		}
	}
}

// archive writes the files in the order of their paths, as of one time: the same files
// make the same bytes.
func (f files) archive(when time.Time) ([]byte, error) {
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		e := f[name]
		h := &tar.Header{Typeflag: e.kind, Name: name, Linkname: e.link, Mode: e.mode, Size: int64(len(e.content)), ModTime: when}
		if e.kind == tar.TypeDir {
			h.Name += "/"
		}
		if err := out.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := out.Write(e.content); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := out.Close(); err != nil {
		return nil, fmt.Errorf("packing a layer: %w", err)
	}
	return b.Bytes(), nil
}

// layer is the files as a layer of an image.
func (f files) layer(when time.Time) (v1.Layer, error) {
	archive, err := f.archive(when)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("a layer of %d files: %w", len(f), err)
	}
	return layer, nil
}

// merged is where a path of a package is: since /bin, /lib and the like are links to
// what is below /usr, nothing may be in their place.
func merged(name string) string {
	for _, dir := range mergedFolders() {
		if strings.HasPrefix(name, dir+"/") {
			return "usr/" + name
		}
	}
	return name
}

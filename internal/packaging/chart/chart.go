// Package chart packs the Helm chart in the way of helm package, but to the same bytes
// each time, and with the version of the tree.
package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"confd/internal/packaging/source"
)

// name is the chart's, and of the folder that all is in.
const name = "confd-bird"

// Write packs the chart of the tree as dir/confd-bird-VERSION.tgz, and returns that path.
func Write(tree source.Tree, dir string) (string, error) {
	version := strings.TrimPrefix(tree.Version, "v")
	archive, err := pack(tree, os.DirFS(filepath.Join(tree.Dir, "etc", "helm", name)), version)
	if err != nil {
		return "", fmt.Errorf("the chart: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("the chart: %w", err)
	}
	file := filepath.Join(dir, name+"-"+version+".tgz")
	if err := os.WriteFile(file, archive, 0o644); err != nil {
		return "", fmt.Errorf("the chart: %w", err)
	}
	return file, nil
}

// pack is the archive: files in the order of their names, of the commit's time.
func pack(tree source.Tree, chart fs.FS, version string) ([]byte, error) {
	var b bytes.Buffer
	compressed := gzip.NewWriter(&b)
	out := tar.NewWriter(compressed)
	err := fs.WalkDir(chart, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") && d.Name() != ".helmignore" {
			return err
		}
		content, err := fs.ReadFile(chart, file)
		if err == nil && file == "Chart.yaml" {
			content, err = versioned(content, version, tree.Version)
		}
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(name, file), Mode: 0o644, Size: int64(len(content)), ModTime: tree.Time}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err = out.Write(content)
		return err
	})
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = compressed.Close()
	}
	return b.Bytes(), err
}

// versioned is Chart.yaml with the version of the chart, and of the program, which is
// the tag of the images.
func versioned(text []byte, version, program string) ([]byte, error) {
	for _, line := range [][2]string{{"version: 0.0.0", "version: " + version}, {"appVersion: latest", "appVersion: " + program}} {
		before, after, found := bytes.Cut(text, []byte("\n"+line[0]+"\n"))
		if !found {
			return nil, fmt.Errorf("no line %q in Chart.yaml", line[0])
		}
		text = bytes.Join([][]byte{before, []byte(line[1]), after}, []byte("\n"))
	}
	return text, nil
}

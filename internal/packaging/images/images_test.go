package images

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/debian"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// top is the tree that the test is in.
func top(t *testing.T) source.Tree {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return source.Tree{Dir: dir, Version: "v1.2.3", Commit: "0123456789abcdef", Time: time.Unix(1700000000, 0).UTC()}
}

// built are images of a program that is none.
func built(t *testing.T) []Image {
	t.Helper()
	tree := top(t)
	var fake []programs.Program
	for _, architecture := range programs.Architectures() {
		p := programs.Program{Architecture: architecture, Path: filepath.Join(t.TempDir(), "confd")}
		if err := os.WriteFile(p.Path, []byte("for "+architecture), 0o755); err != nil {
			t.Fatal(err)
		}
		fake = append(fake, p)
	}
	store, err := debian.UserStore()
	if err != nil {
		t.Fatal(err)
	}
	images, err := Build(context.Background(), tree, fake, contents.Papers{Licence: []byte("its own"), Notices: []byte("of its parts")}, store)
	if err != nil {
		t.Fatal(err)
	}
	return images
}

// TestImages builds the images once, for all that looks at them.
func TestImages(t *testing.T) {
	images := built(t)
	t.Run("SameTreeSameBytes", func(t *testing.T) { sameBytes(t, images, built(t)) })
	t.Run("ReadAsWritten", func(t *testing.T) { readAsWritten(t, images) })
	t.Run("Pushed", func(t *testing.T) { pushed(t, images) })
	for what, test := range map[string]func(t *testing.T, name, architecture string, image v1.Image){
		"WhatItSaysOfItself": saysOfItself, "AllFilesAreRootsAndOfOneTime": ofOneTime, "SidecarHoldsTheProgramAndWhomToTrust": sidecar,
		"ProgramsFindWhatTheyNeed": programsFind, "LinksLeadSomewhere": linksLead,
	} {
		t.Run(what, func(t *testing.T) {
			for _, i := range images {
				for n, architecture := range i.Architectures {
					t.Run(i.Name+"/"+architecture, func(t *testing.T) { test(t, i.Name, architecture, i.Images[n]) })
				}
			}
		})
	}
}

func pushed(t *testing.T, images []Image) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	to := strings.TrimPrefix(server.URL, "http://") + "/some/path"
	for _, i := range images {
		if err := i.Push(context.Background(), to); err != nil {
			t.Fatal(err)
		}
		tag, err := name.NewTag(to + "/" + i.Name + ":v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		for n, architecture := range i.Architectures {
			there, err := remote.Image(tag, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: architecture}))
			if err != nil {
				t.Errorf("%s for %s: %v", i.Name, architecture, err)
				continue
			}
			one, errOne := there.Digest()
			other, errOther := i.Images[n].Digest()
			if errOne != nil || errOther != nil || one != other {
				t.Errorf("%s for %s: pushed %s, and there is %s (%v, %v)", i.Name, architecture, other, one, errOther, errOne)
			}
		}
	}
}

// root is what a runtime makes of an image's layers.
func root(t *testing.T, image v1.Image) map[string]*entry {
	t.Helper()
	stream := mutate.Extract(image)
	defer stream.Close()
	all := map[string]*entry{}
	for in := tar.NewReader(stream); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		var content []byte
		if err == nil {
			content, err = io.ReadAll(in)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[path.Clean(h.Name)] = &entry{h, content}
	}
}

type entry struct {
	*tar.Header
	content []byte
}

// follow is the entry that a path leads to in a root, over links; nil: to none.
func follow(all map[string]*entry, name string) *entry {
	for range 100 {
		done, rest := "", strings.Split(strings.Trim(name, "/"), "/")
		for len(rest) > 0 {
			e := all[path.Join(done, rest[0])]
			if e != nil && e.Typeflag == tar.TypeSymlink {
				target := e.Linkname
				if !path.IsAbs(target) {
					target = path.Join("/", done, target)
				}
				name = path.Join(append([]string{target}, rest[1:]...)...)
				break
			}
			done, rest = path.Join(done, rest[0]), rest[1:]
		}
		if len(rest) == 0 {
			return all[done]
		}
	}
	return nil
}

func sameBytes(t *testing.T, one, other []Image) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, images := range [][]Image{one, other} {
		for _, image := range images {
			if err := image.Write(dirs[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := 0
	err := filepath.WalkDir(dirs[0], func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		one, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		other, err := os.ReadFile(strings.Replace(file, dirs[0], dirs[1], 1))
		if err == nil && !bytes.Equal(one, other) {
			t.Errorf("%s differs", file)
		}
		return err
	})
	if err != nil || files < 40 {
		t.Errorf("%d files: %v", files, err)
	}
}

func readAsWritten(t *testing.T, images []Image) {
	dir := t.TempDir()
	for _, i := range images {
		if err := i.Write(dir); err != nil {
			t.Fatal(err)
		}
		if err := i.Write(dir); err != nil {
			t.Errorf("once more: %v", err)
		}
		from, err := layout.ImageIndexFromPath(filepath.Join(dir, i.Name))
		if err == nil {
			err = validate.Index(from)
		}
		if err != nil {
			t.Errorf("%s as OCI layout: %v", i.Name, err)
		}
		tag, err := name.NewTag(i.Name + ":v1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		for n, architecture := range i.Architectures {
			image, err := tarball.ImageFromPath(filepath.Join(dir, i.Name+"_"+architecture+".tar"), &tag)
			if err == nil {
				err = validate.Image(image)
			}
			if err != nil {
				t.Errorf("%s for %s as an archive: %v", i.Name, architecture, err)
				continue
			}
			one, errOne := image.ConfigName()
			other, errOther := i.Images[n].ConfigName()
			if errOne != nil || errOther != nil || one != other {
				t.Errorf("%s for %s: the configuration is %s in the archive, and %s (%v, %v)", i.Name, architecture, one, other, errOne, errOther)
			}
		}
	}
}

func saysOfItself(t *testing.T, name, architecture string, image v1.Image) {
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != architecture || config.OS != "linux" || config.Created.Unix() != 1700000000 {
		t.Errorf("for %s/%s, of %s", config.OS, config.Architecture, config.Created)
	}
	const oci = "org.opencontainers.image."
	l := config.Config.Labels
	if l[oci+"title"] != name || l[oci+"version"] != "v1.2.3" || l[oci+"revision"] != "0123456789abcdef" || l[oci+"created"] != "2023-11-14T22:13:20Z" || l[oci+"description"] == "" {
		t.Errorf("labels: %v", l)
	}
	user := map[string]string{"confd": User, "confd-installer": User}[name]
	if config.Config.User != user {
		t.Errorf("it runs as %q", config.Config.User)
	}
	if hasBIRD := l["confd-bird.io/bird-version"] != ""; hasBIRD != strings.Contains(name, "bird") {
		t.Errorf("labels of BIRD's version: %v", l)
	}
}

func ofOneTime(t *testing.T, _, _ string, image v1.Image) {
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		stream, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		for in := tar.NewReader(stream); ; {
			h, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 1700000000 || h.Mode&0o6022 != 0 && h.Typeflag != tar.TypeSymlink && h.Name != "tmp/" {
				t.Errorf("%s: user %d, group %d, mode %o, time %s", h.Name, h.Uid, h.Gid, h.Mode, h.ModTime)
			}
			if name := strings.TrimSuffix(h.Name, "/"); name <= last {
				t.Errorf("%s stands after %s", name, last)
			} else {
				last = name
			}
		}
	}
}

func sidecar(t *testing.T, name, architecture string, image v1.Image) {
	if name != "confd" {
		t.Skip("another image")
	}
	all := root(t, image)
	for path, e := range all {
		if e.Mode&0o111 != 0 && e.Typeflag == tar.TypeReg && path != "confd" {
			t.Errorf("%s can be run", path)
		}
	}
	if string(all["confd"].content) != "for "+architecture || all["confd"].Mode != 0o755 {
		t.Errorf("the program is %q, mode %o", all["confd"].content, all["confd"].Mode)
	}
	certificates := 0
	for rest := all["etc/ssl/certs/ca-certificates.crt"].content; len(rest) > 0; certificates++ {
		block, more := pem.Decode(rest)
		if block == nil {
			t.Fatalf("after %d certificates: %.60s", certificates, rest)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Errorf("certificate %d: %v", certificates, err)
		}
		rest = more
	}
	if certificates < 100 {
		t.Errorf("it trusts %d authorities", certificates)
	}
}

// programsFind: each ELF file is for the image's machine, and its loader
// and libraries are there.
func programsFind(t *testing.T, name, architecture string, image v1.Image) {
	all := root(t, image)
	library := map[string]string{"amd64": "/usr/lib/x86_64-linux-gnu/", "arm64": "/usr/lib/aarch64-linux-gnu/"}[architecture]
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[architecture]
	looked := []string{}
	for path, e := range all {
		if !bytes.HasPrefix(e.content, []byte(elf.ELFMAG)) {
			continue
		}
		looked = append(looked, path)
		program, err := elf.NewFile(bytes.NewReader(e.content))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if program.Machine != machine {
			t.Errorf("%s is for %s", path, program.Machine)
		}
		needs, err := program.ImportedLibraries()
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if loader := program.Section(".interp"); loader != nil {
			text, err := loader.Data()
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if follow(all, strings.TrimRight(string(text), "\x00")) == nil {
				t.Errorf("%s needs the loader %s", path, text)
			}
		}
		for _, need := range needs {
			if follow(all, library+need) == nil && !strings.HasPrefix(need, "ld-linux") {
				t.Errorf("%s needs %s", path, need)
			}
		}
	}
	if strings.Contains(name, "bird") && (!slices.Contains(looked, "usr/sbin/bird") || !slices.Contains(looked, "usr/sbin/birdc")) {
		t.Errorf("there are the programs %v", looked)
	}
}

func linksLead(t *testing.T, _, _ string, image v1.Image) {
	all := root(t, image)
	for name, e := range all {
		if e.Typeflag == tar.TypeSymlink && follow(all, name) == nil {
			t.Errorf("%s leads to %s, where nothing is", name, e.Linkname)
		}
	}
}

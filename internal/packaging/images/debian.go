package images

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"confd/internal/packaging/debian"
)

// mergedFolders are those that Debian has below /usr, with links to them.
func mergedFolders() []string { return []string{"bin", "lib", "lib64", "sbin"} }

// unwanted are what packages bring along that a container has no use for: papers (but
// for copyrights), translations, other character sets, services, and examples.
func unwanted() []string {
	return []string{
		"etc/apparmor.d/", "etc/bird/", "etc/default/", "etc/init.d/", "usr/share/doc-base/", "usr/share/info/", "usr/share/lintian/", "usr/share/locale/",
		"usr/share/man/", "usr/share/bug/", "usr/lib/systemd/", "usr/share/initramfs-tools/", "usr/share/base-files/", "usr/share/common-licenses/", "var/", "etc/ld.so.conf.d/",
	}
}

// applets are the names of busybox that BIRD's images have: what the manifests and
// run-bird call, and what one looks around with.
func applets() []string {
	return []string{
		"cat", "chmod", "chown", "cp", "env", "grep", "head", "hostname", "id", "ip", "kill", "ls", "mkdir", "mv", "nc", "netstat", "ping", "ps", "rm", "sh", "sleep", "stat", "tail", "test", "wget",
	}
}

// users and groups are those of BIRD's images. To run BIRD as bird is up to who runs
// it (-u bird -g bird); in the group confd is who may read what confd writes.
const (
	users  = "root:x:0:0:root:/:/bin/sh\nbird:x:100:100:BIRD:/run/bird:/usr/sbin/nologin\nconfd:x:65532:65532:confd:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
	groups = "root:x:0:\nbird:x:100:\nconfd:x:65532:\nnogroup:x:65534:\n"
)

// distribution is Debian's packages of an architecture, in a store.
type distribution struct {
	store    debian.Store
	packages []debian.Package
}

func newDistribution(ctx context.Context, store debian.Store, architecture string) (distribution, error) {
	packages, err := debian.Pinned(architecture)
	if err == nil {
		err = store.Fetch(ctx, packages)
	}
	return distribution{store, packages}, err
}

func (d distribution) find(name string) (debian.Package, error) {
	i := slices.IndexFunc(d.packages, func(p debian.Package) bool { return p.Name == name })
	if i < 0 {
		return debian.Package{}, fmt.Errorf("pins.txt has no package %s", name)
	}
	return d.packages[i], nil
}

// version is that of the program in a package, without what Debian adds.
func (d distribution) version(name string) (string, error) {
	p, err := d.find(name)
	upstream, _, _ := strings.Cut(p.Version, "-")
	return upstream, err
}

// bird is BIRD with the libraries that it needs, and a shell.
func (d distribution) bird(ctx context.Context) (files, error) {
	f := files{}
	for _, p := range d.packages {
		if p.Name == "ca-certificates" {
			continue
		}
		if err := d.unpack(ctx, p, f); err != nil {
			return nil, err
		}
	}
	for _, applet := range applets() {
		f.link("usr/bin/"+applet, "busybox")
	}
	for _, dir := range mergedFolders() {
		if _, there := f["usr/"+dir]; there {
			f.link(dir, "usr/"+dir)
		}
	}
	f.add("etc/passwd", 0o644, []byte(users))
	f.add("etc/group", 0o644, []byte(groups))
	for _, dir := range []string{"etc/bird", "run/bird", "proc", "sys", "dev"} {
		f.folder(dir, 0o755)
	}
	f.folder("tmp", 0o1777)
	f.link("var/run", "/run")
	return f, nil
}

// unpack adds what is wanted of a package, and what it says of itself where scanners
// look for it.
func (d distribution) unpack(ctx context.Context, p debian.Package, f files) error {
	control, err := d.store.Control(ctx, p)
	if err != nil {
		return err
	}
	f.add("var/lib/dpkg/status.d/"+p.Name, 0o644, control)
	return d.store.Walk(ctx, p, func(h *tar.Header, content []byte) error {
		name := merged(h.Name)
		if !wanted(p.Name, name) {
			return nil
		}
		switch h.Typeflag {
		case tar.TypeDir: // those that hold something come with it
		case tar.TypeReg:
			f.add(name, h.Mode&0o7777, content)
		case tar.TypeSymlink:
			f.link(name, h.Linkname)
		default:
			return fmt.Errorf("%s is neither a file nor a link", h.Name)
		}
		return nil
	})
}

func wanted(pkg, name string) bool {
	if strings.HasPrefix(name, "usr/share/doc/") {
		return path.Base(name) == "copyright"
	}
	if pkg == "base-files" {
		return slices.Contains([]string{"etc/os-release", "usr/lib/os-release", "etc/debian_version"}, name)
	}
	if slices.Contains(strings.Split(name, "/"), "gconv") {
		return false
	}
	return !slices.ContainsFunc(unwanted(), func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// certificates are those of public authorities, in the file where Go and others look for
// them.
func (d distribution) certificates(ctx context.Context) (files, error) {
	p, err := d.find("ca-certificates")
	if err != nil {
		return nil, err
	}
	var bundle bytes.Buffer
	f := files{}
	err = d.store.Walk(ctx, p, func(h *tar.Header, content []byte) error {
		switch {
		case strings.HasPrefix(h.Name, "usr/share/ca-certificates/") && strings.HasSuffix(h.Name, ".crt"):
			bundle.Write(bytes.TrimSpace(content))
			bundle.WriteByte('\n')
		case h.Name == "usr/share/doc/ca-certificates/copyright":
			f.add(h.Name, 0o644, content)
		}
		return nil
	})
	if err == nil && bundle.Len() == 0 {
		err = fmt.Errorf("package %s has no certificates", p.Name)
	}
	f.add("etc/ssl/certs/ca-certificates.crt", 0o644, bundle.Bytes())
	return f, err
}

// busybox is that program alone, which needs no library, by the names given.
func (d distribution) busybox(ctx context.Context, names ...string) (files, error) {
	p, err := d.find("busybox-static")
	if err != nil {
		return nil, err
	}
	f := files{}
	if err := d.unpack(ctx, p, f); err != nil {
		return nil, err
	}
	for _, name := range names {
		f.link("usr/bin/"+name, "busybox")
	}
	f.link("bin", "usr/bin")
	return f, nil
}

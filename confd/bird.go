package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"confd/reload"
	"confd/templates"
)

// The control sockets and folders that are tried or used where none is given:
// Debian's, and Calico's.
const (
	debianSocket = "/run/bird/bird.ctl"
	calicoSocket = "/var/run/calico/bird.ctl"
	debianDir    = "/etc/bird"
	calicoDir    = "/etc/calico/confd/config"
)

// daemons says where the BIRDs of this node are.
type daemons struct {
	version templates.Version
	// binary and binary6 are empty where there is none: then BIRD checks over
	// its control socket.
	binary, binary6 string
	socket, socket6 string
	dir             string
}

// sockets are those that the version's daemons listen on.
func (d daemons) sockets() []string {
	if d.version.Major == 1 {
		return []string{d.socket, d.socket6}
	}
	return []string{d.socket}
}

// errNoVersion is returned where nothing tells which BIRD there is.
var errNoVersion = errors.New("cannot tell which BIRD to write for: no control socket answers, and there is no bird program to ask; start BIRD, or give --bird")

// findDaemons finds out which BIRD there is, and where.
func findDaemons(ctx context.Context, s BIRDSettings) (daemons, error) {
	d := daemons{binary: s.Binary, socket: s.Socket, socket6: s.Socket6, dir: s.Dir}
	if d.binary == "" {
		d.binary, _ = exec.LookPath("bird")
	}
	if err := d.findVersion(ctx, s.Version); err != nil {
		return d, err
	}
	if d.version.Major == 1 {
		d.complete1()
	} else {
		d.socket = orElse(d.socket, debianSocket)
		d.dir = orElse(d.dir, debianDir)
	}
	var err error
	d.dir, err = filepath.Abs(d.dir)
	return d, err
}

// complete1 fills in what BIRD 1.6 has besides: a second daemon.
func (d *daemons) complete1() {
	d.socket = orElse(d.socket, calicoSocket)
	d.socket6 = orElse(d.socket6, filepath.Join(filepath.Dir(d.socket), "bird6.ctl"))
	d.dir = orElse(d.dir, calicoDir)
	if d.binary != "" {
		d.binary6, _ = exec.LookPath(filepath.Join(filepath.Dir(d.binary), "bird6"))
	}
}

func (d *daemons) findVersion(ctx context.Context, want string) (err error) {
	if want != "auto" {
		d.version, err = templates.ParseVersion(want)
		if err != nil {
			return usageError{err}
		}
		return nil
	}
	sockets := []string{d.socket}
	if d.socket == "" {
		sockets = []string{debianSocket, calicoSocket}
	}
	for _, path := range sockets {
		if v, ok := askSocket(ctx, path); ok {
			d.version, d.socket = v, path
			return nil
		}
	}
	if d.binary == "" {
		return errNoVersion
	}
	d.version, err = askBinary(ctx, d.binary)
	return err
}

func askSocket(ctx context.Context, path string) (templates.Version, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := reload.Dial(ctx, path)
	if err != nil {
		return templates.Version{}, false
	}
	defer c.Close()
	v, err := templates.ParseVersion(c.Version())
	return v, err == nil
}

func askBinary(ctx context.Context, binary string) (templates.Version, error) {
	text, err := versionText(ctx, binary)
	if err != nil {
		return templates.Version{}, err
	}
	return templates.ParseVersion(text)
}

// versionText is what a bird program prints about its version.
func versionText(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--version")
	// What it leaves behind in the background may hold its output open.
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("asking %s for its version: %w", binary, err)
	}
	return string(out), nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

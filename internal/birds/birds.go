// Package birds finds out which BIRD a node has, and where: its version, its
// programs, its control sockets, and the folder of its files.
package birds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"confd/reload"
	"confd/reload/control"
	"confd/templates"
)

// The control sockets and folders that are tried or used where none is given:
// Debian's, and Calico's.
const (
	DebianSocket = "/run/bird/bird.ctl"
	CalicoSocket = "/var/run/calico/bird.ctl"
	DebianDir    = "/etc/bird"
	CalicoDir    = "/etc/calico/confd/config"
)

// Settings say which BIRD there is, and where. Empty ones are looked up, or
// depend on the version.
type Settings struct {
	Version string // auto, 1, 2, 3 or x.y.z
	Binary  string
	Socket  string
	Socket6 string // the second socket of BIRD 1.6
	Dir     string // folder of the rendered files
}

// Daemons says where the BIRDs of a node are: one, or, of BIRD 1.6, two.
type Daemons struct {
	Version templates.Version
	// Binary and Binary6 are paths of BIRD's programs. They are empty where there
	// is none: then BIRD checks over its control socket.
	Binary, Binary6 string
	// Socket and Socket6 are paths of control sockets; Socket6 is of BIRD 1.6
	// alone.
	Socket, Socket6 string
	// Dir is the folder of the files, an absolute path.
	Dir string
}

// Sockets are those that the version's daemons listen on.
func (d Daemons) Sockets() []string {
	if d.Version.Major == 1 {
		return []string{d.Socket, d.Socket6}
	}
	return []string{d.Socket}
}

// Place is where a file goes whose template resource has it at dest: names
// without a folder go to BIRD's.
func (d Daemons) Place(dest string) string {
	if filepath.IsAbs(dest) {
		return filepath.Clean(dest)
	}
	return filepath.Join(d.Dir, dest)
}

// Reader is the daemon of a name, bird or bird6, which is started with the file
// main.
func (d Daemons) Reader(name, main string) reload.Daemon {
	if name == "bird6" {
		return reload.Daemon{Main: main, Socket: d.Socket6, Binary: d.Binary6}
	}
	return reload.Daemon{Main: main, Socket: d.Socket, Binary: d.Binary}
}

// ErrNoVersion is returned where nothing tells which BIRD there is.
var ErrNoVersion = errors.New("cannot tell which BIRD to write for: no control socket answers, and there is no bird program to ask; start BIRD, or give --bird")

// Find finds out which BIRD there is, and where. Where the settings do not give
// the version it asks the BIRD that answers at a control socket, or the program;
// where there is neither, its error is ErrNoVersion.
func Find(ctx context.Context, s Settings) (Daemons, error) {
	d := Daemons{Binary: s.Binary, Socket: s.Socket, Socket6: s.Socket6, Dir: s.Dir}
	if d.Binary == "" {
		d.Binary, _ = exec.LookPath("bird")
	}
	if err := d.findVersion(ctx, s.Version); err != nil {
		return d, err
	}
	if d.Version.Major == 1 {
		d.complete1()
	} else {
		d.Socket = cmp.Or(d.Socket, DebianSocket)
		d.Dir = cmp.Or(d.Dir, DebianDir)
	}
	var err error
	d.Dir, err = filepath.Abs(d.Dir)
	return d, err
}

// complete1 fills in what BIRD 1.6 has besides: a second daemon.
func (d *Daemons) complete1() {
	d.Socket = cmp.Or(d.Socket, CalicoSocket)
	d.Socket6 = cmp.Or(d.Socket6, filepath.Join(filepath.Dir(d.Socket), "bird6.ctl"))
	d.Dir = cmp.Or(d.Dir, CalicoDir)
	if d.Binary != "" {
		d.Binary6, _ = exec.LookPath(filepath.Join(filepath.Dir(d.Binary), "bird6"))
	}
}

func (d *Daemons) findVersion(ctx context.Context, want string) (err error) {
	if want != "auto" {
		d.Version, err = templates.ParseVersion(want)
		return err
	}
	sockets := []string{d.Socket}
	if d.Socket == "" {
		sockets = []string{DebianSocket, CalicoSocket}
	}
	for _, path := range sockets {
		if v, ok := askSocket(ctx, path); ok {
			d.Version, d.Socket = v, path
			return nil
		}
	}
	if d.Binary == "" {
		return ErrNoVersion
	}
	d.Version, err = askBinary(ctx, d.Binary)
	return err
}

func askSocket(ctx context.Context, path string) (templates.Version, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c, err := control.Dial(ctx, path)
	if err != nil {
		return templates.Version{}, false
	}
	defer c.Close()
	v, err := templates.ParseVersion(c.Version())
	return v, err == nil
}

func askBinary(ctx context.Context, binary string) (templates.Version, error) {
	text, err := VersionText(ctx, binary)
	if err != nil {
		return templates.Version{}, err
	}
	return templates.ParseVersion(text)
}

// VersionText is what the bird program at a path prints about its version.
func VersionText(ctx context.Context, binary string) (string, error) {
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

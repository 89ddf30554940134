package reload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"confd/reload/control"
)

// lookTimeout is how long a look at BIRD may take: it comes every few seconds.
const lookTimeout = 2 * time.Second

// Drift is how things differ from what was applied.
type Drift struct {
	Files        []string // the Dests that are not as the set says, or gone
	Restarted    bool     // BIRD was started since it confirmed the set, or came up late
	Reconfigured bool     // somebody else has had BIRD take another configuration
	BIRD         control.Health
	Version      string // of the BIRD that answers
}

// Any says that there is something to repair.
func (d Drift) Any() bool { return len(d.Files) > 0 || d.Restarted || d.Reconfigured }

// String says what is to repair, in words; empty where nothing is.
func (d Drift) String() string {
	var parts []string
	for _, f := range d.Files {
		parts = append(parts, "file changed: "+f)
	}
	if d.Restarted {
		parts = append(parts, "BIRD was restarted")
	}
	if d.Reconfigured {
		parts = append(parts, "BIRD was reconfigured by somebody else")
	}
	return strings.Join(parts, ", ")
}

// Verify looks whether the set that was applied last is still on disk, and still
// what BIRD uses. It is cheap: files are read only where their metadata changed,
// and BIRD gets two seconds for one question. It repairs nothing: call Apply
// where files changed, and Reconfigure else. A set that was never applied, or
// whose Apply broke off half-way, has not drifted.
//
// Not noticed is a reconfiguration by somebody else within three seconds of
// ours, and, where BIRD prints times in a format of its own, any.
func (a *Applier) Verify(ctx context.Context, s Set) (Drift, error) {
	var d Drift
	mem := a.memory(s.Name)
	if mem.phase != absent && mem.phase != unsure {
		for _, f := range s.Files {
			if mem.drifted(f) {
				d.Files = append(d.Files, f.Dest)
			}
		}
	}
	if s.socket() == "" {
		return d, nil
	}
	now, version, err := a.look(ctx, s.socket())
	d.BIRD, d.Version = control.HealthOf(err), version
	if err != nil {
		if d.BIRD != control.HealthUnknown {
			err = nil
		}
		return d, naming(s.Name, err)
	}
	if now.status.InProgress() {
		d.BIRD = control.Busy
	}
	d.Restarted = mem.phase == installed
	if mem.proof != nil {
		d.Restarted = d.Restarted || mem.proof.restarted(now)
		d.Reconfigured = !d.Restarted && d.BIRD == control.Up && mem.proof.replaced(now)
	}
	return d, nil
}

// look asks BIRD how it is.
func (a *Applier) look(ctx context.Context, socket string) (observation, string, error) {
	ctx, cancel := a.within(ctx, lookTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return observation{}, "", err
	}
	defer c.Close()
	now, err := a.observe(ctx, c)
	return now, c.Version(), err
}

// fingerprint is what the file system knows of a file without reading it.
type fingerprint struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
	mode         fs.FileMode
	uid, gid     uint32
}

func fingerprintOf(info fs.FileInfo) (fingerprint, bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fingerprint{}, false
	}
	return fingerprint{
		dev: sys.Dev, ino: sys.Ino, size: sys.Size, mtime: sys.Mtim, ctime: sys.Ctim,
		mode: info.Mode(), uid: sys.Uid, gid: sys.Gid,
	}, true
}

// printSettles is how long after a change a fingerprint is not relied on: the
// next change may carry the same time.
const printSettles = time.Second

// drifted says that a file is not as the set says.
func (m *memory) drifted(f File) bool {
	info, err := os.Stat(f.Dest)
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	print, known := fingerprintOf(info)
	if known && m.prints[f.Dest] == print {
		return false
	}
	t, err := readTarget(f)
	if err != nil || t.changed() {
		return true
	}
	if known && time.Since(time.Unix(print.ctime.Unix())) > printSettles {
		if m.prints == nil {
			m.prints = map[string]fingerprint{}
		}
		m.prints[f.Dest] = print
	}
	return false
}

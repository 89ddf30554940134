// Package plan is the way from a cluster's state to a candidate: the node's
// configuration, computed; the templates that are in use; and the files that
// they make of it, grouped as one BIRD reads them.
package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/etc"
	"confd/internal/birds"
	"confd/reload"
	"confd/templates"
)

// Settings are what a candidate depends on besides the cluster's state and BIRD.
type Settings struct {
	// BGP names the node, and says what of its configuration comes from settings.
	BGP bgp.Options
	// ConfDir is the folder that holds conf.d and templates; where it is empty, or
	// has no conf.d, the built-in templates are used.
	ConfDir string
	// Prefix starts the keys of template resources that give neither a prefix nor
	// whole keys.
	Prefix string
	Files  FileSettings
}

// FileSettings say how files are put in place.
type FileSettings struct {
	// Mode is the mode of what built-in templates make; others name their own.
	Mode fs.FileMode
	// Owner and Group are those of files whose template resource names none; -1:
	// as the process.
	Owner, Group int
	KeepStage    bool // staged files stay, to be looked at
	SyncOnly     bool // nothing is checked, and nothing reloaded
}

// Templates are templates that can be used. The zero value is none.
type Templates struct {
	Engine *templates.Engine
	// BuiltIn is set where they are those inside the program.
	BuiltIn bool
}

// Load reads the templates that the settings name as they are now: those of the
// configuration folder or, where it has no template resources, the built-in ones.
func Load(s Settings, log *slog.Logger) (Templates, error) {
	folder, builtIn, err := s.folder()
	if err != nil {
		return Templates{}, err
	}
	s.sayWhich(builtIn, log)
	engine, err := templates.Load(folder, templates.Options{Prefix: s.Prefix, Node: s.BGP.Node, Logger: log})
	if err != nil {
		return Templates{}, err
	}
	if err := otherNames(engine.Resources()); err != nil {
		return Templates{}, err
	}
	return Templates{engine, builtIn}, nil
}

// otherNames refuses two resources that write one file by different names, in a folder that
// a link leads to: each would put right what the other one has written.
func otherNames(resources []templates.Resource) error {
	by := map[string]templates.Resource{}
	for _, r := range resources {
		folder, err := filepath.EvalSymlinks(filepath.Dir(r.Dest))
		if err != nil || !filepath.IsAbs(r.Dest) {
			continue // there is no such folder yet, or it is in BIRD's
		}
		file := filepath.Join(folder, filepath.Base(r.Dest))
		if first, taken := by[file]; taken {
			return fmt.Errorf("%s: dest: %s is the same file as %s, which %s writes already", r.File, r.Dest, first.Dest, first.File)
		}
		by[file] = r
	}
	return nil
}

// usualConfDir is the configuration folder where nobody asks for another.
const usualConfDir = "/etc/confd"

// sayWhich says which templates are used. That somebody's own are not there is a
// warning: files of the built-in ones go elsewhere.
func (s Settings) sayWhich(builtIn bool, log *slog.Logger) {
	switch {
	case !builtIn:
		log.Info("using the templates of a folder", "confdir", s.ConfDir)
	case s.ConfDir == usualConfDir || s.ConfDir == "":
		log.Info("using the built-in templates", "confdir", s.ConfDir)
	default:
		log.Warn("the configuration folder has no conf.d: the built-in templates are used, and their files go to BIRD's folder (--bird-dir)", "confdir", s.ConfDir)
	}
}

// folder is the user's configuration folder, where it has template resources,
// or the one inside the program.
func (s Settings) folder() (folder fs.FS, builtIn bool, err error) {
	if s.ConfDir != "" {
		_, err = os.Stat(filepath.Join(s.ConfDir, "conf.d"))
		if err == nil {
			return os.DirFS(s.ConfDir), false, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("configuration folder: %w", err)
		}
	}
	folder, err = fs.Sub(etc.Confd, "confd")
	return folder, true, err
}

// DependOnState says whether templates read more of the cluster's state than
// what is in the computed configuration.
func (t Templates) DependOnState() bool {
	return slices.ContainsFunc(t.Engine.Resources(), func(r templates.Resource) bool { return len(r.Keys) > 0 })
}

// UseBIRD says whether files of these templates are checked by BIRD, or have it
// reloaded, as is assumed where the templates are not known.
func (t Templates) UseBIRD() bool {
	return t.Engine == nil || slices.ContainsFunc(t.Engine.Resources(), func(r templates.Resource) bool { return r.Daemon != "" })
}

// Planner computes and renders for one node. It holds no state: what it returns
// depends on what it is given, and on the templates that are in use.
type Planner struct {
	Settings  Settings
	Templates Templates
	// Env is what templates see of the environment: a variable's value by its
	// name; empty where it is not set.
	Env func(name string) string
}

// Compute gives the node's configuration by a state.
func (p Planner) Compute(state *backends.State) (*bgp.Config, error) {
	return bgp.Compute(state, p.Settings.BGP)
}

// ComputeIn is Compute for one of several nodes of a cluster.
func (p Planner) ComputeIn(c *bgp.Cluster) (*bgp.Config, error) { return c.Compute(p.Settings.BGP) }

// Render gives the files for version v of BIRD, in the templates' order. state is
// what cfg was computed from. There must be templates.
func (p Planner) Render(ctx context.Context, cfg *bgp.Config, state *backends.State, v templates.Version) ([]templates.File, error) {
	return p.RenderAfter(ctx, cfg, state, v, nil)
}

// RenderAfter is Render at the cost of what differs from files that were made before.
func (p Planner) RenderAfter(ctx context.Context, cfg *bgp.Config, state *backends.State, v templates.Version, before []templates.File) ([]templates.File, error) {
	files, err := p.Templates.Engine.Render(ctx, templates.Input{Config: cfg, State: state, Version: v, Env: p.Env, Before: before})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no template resource is for BIRD %s", v)
	}
	return files, nil
}

// UsesSockets says whether BIRD is checked or reloaded over control sockets.
func (p Planner) UsesSockets() bool { return !p.Settings.Files.SyncOnly && p.Templates.UseBIRD() }

// Sets groups files into what is checked, swapped in and reloaded as one: the
// file that a daemon reads, with the others in its folder. Files in a folder
// that no daemon of ours reads, or that two read, are a set by themselves.
func (p Planner) Sets(files []templates.File, d birds.Daemons) []reload.Set {
	readers := map[string][]string{} // the daemons that read a file of a folder
	for _, f := range files {
		if folder := filepath.Dir(d.Place(f.Dest)); f.Daemon != "" {
			readers[folder] = append(readers[folder], f.Daemon)
		}
	}
	var sets []reload.Set
	index := map[string]int{}
	for _, f := range files {
		dest := d.Place(f.Dest)
		folder := filepath.Dir(dest)
		name := f.Daemon
		if name == "" && len(readers[folder]) == 1 {
			name = readers[folder][0]
		}
		name = cmp.Or(name, setName(folder))
		i, ok := index[name]
		if !ok {
			i = len(sets)
			index[name] = i
			sets = append(sets, reload.Set{Name: name, KeepStage: p.Settings.Files.KeepStage})
		}
		sets[i].Files = append(sets[i].Files, p.file(f, dest))
		if f.Daemon != "" && !p.Settings.Files.SyncOnly {
			daemon := d.Reader(f.Daemon, dest)
			sets[i].Daemon = &daemon
		}
	}
	return sets
}

// setName names the set of a folder's files: its path, with dashes.
func setName(folder string) string {
	name := notInNames.ReplaceAllString(folder, "-")
	return cmp.Or(strings.Trim(name[max(0, len(name)-60):], "-._"), "root")
}

// notInNames is what the name of a set cannot hold.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.]+`)

// file is a rendered file as it is put in place.
func (p Planner) file(f templates.File, dest string) reload.File {
	out := reload.File{Dest: dest, Data: f.Data, Sum: reload.Sum(f.Data), Mode: f.Mode, UID: f.UID, GID: f.GID, CheckCmd: f.CheckCmd, ReloadCmd: f.ReloadCmd}
	if p.Templates.BuiltIn {
		out.Mode = p.Settings.Files.Mode
	}
	if out.UID < 0 {
		out.UID = p.Settings.Files.Owner
	}
	if out.GID < 0 {
		out.GID = p.Settings.Files.Group
	}
	if p.Settings.Files.SyncOnly {
		out.CheckCmd, out.ReloadCmd = "", ""
	}
	return out
}

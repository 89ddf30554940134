package main

import (
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
	"confd/reload"
	"confd/templates"
)

// node computes and renders for one node: the part of the way from a state to
// files that every command shares.
type node struct {
	settings Settings
	log      *slog.Logger
	engine   *templates.Engine
	// builtIn is set where the templates are those inside the program.
	builtIn bool
	// env is what templates see of the environment.
	env func(string) string
}

func newNode(s Settings, log *slog.Logger) (*node, error) {
	n := &node{settings: s, log: log, env: os.Getenv}
	var err error
	n.engine, n.builtIn, err = n.load()
	return n, err
}

// load reads the templates as they are now. They are the built-in ones where
// the configuration folder has no template resources.
func (n *node) load() (engine *templates.Engine, builtIn bool, err error) {
	folder, builtIn, err := n.folder()
	if err != nil {
		return nil, false, err
	}
	engine, err = templates.Load(folder, templates.Options{Prefix: n.settings.Templates.Prefix, Node: n.settings.Node, Logger: n.log})
	return engine, builtIn, err
}

// folder is the user's configuration folder, where it has template resources,
// or the one inside the program.
func (n *node) folder() (folder fs.FS, builtIn bool, err error) {
	dir := n.settings.Templates.ConfDir
	_, err = os.Stat(filepath.Join(dir, "conf.d"))
	if err == nil {
		n.log.Info("using the templates of a folder", "confdir", dir)
		return os.DirFS(dir), false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("configuration folder: %w", err)
	}
	folder, err = fs.Sub(etc.Confd, "confd")
	return folder, true, err
}

func (n *node) compute(state *backends.State) (*bgp.Config, error) {
	return bgp.Compute(state, bgp.Options{
		Node: n.settings.Node, K8sNode: n.settings.NodeRef, RouterID: n.settings.BGP.RouterID,
		ClusterIPs: n.settings.BGP.ClusterIPs, LogSeverity: n.settings.BGP.LogSeverity,
		SecretNamespace: n.settings.Kubernetes.Namespace, RequirePasswords: n.settings.BGP.RequirePasswords,
	})
}

// render gives the files for version v.
func (n *node) render(ctx context.Context, cfg *bgp.Config, state *backends.State, v templates.Version) ([]templates.File, error) {
	files, err := n.engine.Render(ctx, templates.Input{Config: cfg, State: state, Version: v, Env: n.env})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no template resource is for BIRD %s", v)
	}
	return files, nil
}

// sets groups files into what is checked, swapped in and reloaded as one: the
// file that a daemon reads, with the others in its folder. Files in a folder
// that no daemon of ours reads, or that two read, are a set by themselves.
func (n *node) sets(files []templates.File, d daemons) []reload.Set {
	readers := map[string][]string{} // the daemons that read a file of a folder
	for _, f := range files {
		if folder := filepath.Dir(d.place(f)); f.Daemon != "" {
			readers[folder] = append(readers[folder], f.Daemon)
		}
	}
	var sets []reload.Set
	index := map[string]int{}
	for _, f := range files {
		dest := d.place(f)
		folder := filepath.Dir(dest)
		name := f.Daemon
		if name == "" && len(readers[folder]) == 1 {
			name = readers[folder][0]
		}
		name = orElse(name, setName(folder))
		i, ok := index[name]
		if !ok {
			i = len(sets)
			index[name] = i
			sets = append(sets, reload.Set{Name: name, KeepStage: n.settings.Templates.KeepStageFile})
		}
		sets[i].Files = append(sets[i].Files, n.file(f, dest))
		if f.Daemon != "" {
			sets[i].Daemon = n.daemon(f, dest, d)
		}
	}
	return sets
}

// place is where a file goes: names without a folder go to BIRD's.
func (d daemons) place(f templates.File) string {
	if filepath.IsAbs(f.Dest) {
		return filepath.Clean(f.Dest)
	}
	return filepath.Join(d.dir, f.Dest)
}

// setName names the set of a folder's files: its path, with dashes.
func setName(folder string) string {
	name := notInNames.ReplaceAllString(folder, "-")
	return orElse(strings.Trim(name[max(0, len(name)-60):], "-._"), "root")
}

// notInNames is what the name of a set cannot hold.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.]+`)

// file is a rendered file as it is put in place.
func (n *node) file(f templates.File, dest string) reload.File {
	out := reload.File{Dest: dest, Data: f.Data, Mode: f.Mode, UID: f.UID, GID: f.GID, CheckCmd: f.CheckCmd, ReloadCmd: f.ReloadCmd}
	if n.builtIn {
		out.Mode = n.settings.Templates.Mode
	}
	if out.UID < 0 {
		out.UID = n.settings.Templates.Owner
	}
	if out.GID < 0 {
		out.GID = n.settings.Templates.Group
	}
	if n.settings.Templates.SyncOnly {
		out.CheckCmd, out.ReloadCmd = "", ""
	}
	return out
}

func (n *node) daemon(f templates.File, dest string, d daemons) *reload.Daemon {
	switch {
	case n.settings.Templates.SyncOnly:
		return nil
	case f.Daemon == "bird6":
		return &reload.Daemon{Main: dest, Socket: d.socket6, Binary: d.binary6}
	default:
		return &reload.Daemon{Main: dest, Socket: d.socket, Binary: d.binary}
	}
}

// dependsOnState says whether templates read more of the cluster's state than
// what is in the computed configuration.
func (n *node) dependsOnState() bool {
	return slices.ContainsFunc(n.engine.Resources(), func(r templates.Resource) bool { return len(r.Keys) > 0 })
}

// usesSockets says whether BIRD is checked or reloaded over control sockets, as
// it is where the templates are not known.
func (n *node) usesSockets() bool {
	return !n.settings.Templates.SyncOnly && (n.engine == nil ||
		slices.ContainsFunc(n.engine.Resources(), func(r templates.Resource) bool { return r.Daemon != "" }))
}

// leftOut counts the problems for which something is not in the configuration.
func leftOut(cfg *bgp.Config) int {
	count := 0
	for _, p := range cfg.Problems {
		if p.LeftOut {
			count++
		}
	}
	return count
}

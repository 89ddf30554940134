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
}

func newNode(s Settings, log *slog.Logger) (*node, error) {
	n := &node{settings: s, log: log}
	folder, err := n.folder()
	if err != nil {
		return nil, err
	}
	n.engine, err = templates.Load(folder, templates.Options{Prefix: s.Templates.Prefix, Node: s.Node, Logger: log})
	return n, err
}

// folder is the user's configuration folder, where it has template resources,
// or the one inside the program.
func (n *node) folder() (fs.FS, error) {
	dir := n.settings.Templates.ConfDir
	_, err := os.Stat(filepath.Join(dir, "conf.d"))
	if err == nil {
		n.log.Info("using the templates of a folder", "confdir", dir)
		return os.DirFS(dir), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration folder: %w", err)
	}
	n.builtIn = true
	return fs.Sub(etc.Confd, "confd")
}

func (n *node) compute(state *backends.State) (*bgp.Config, error) {
	return bgp.Compute(state, bgp.Options{
		Node: n.settings.Node, K8sNode: n.settings.NodeRef, RouterID: n.settings.BGP.RouterID,
		ClusterIPs: n.settings.BGP.ClusterIPs, LogSeverity: n.settings.BGP.LogSeverity,
		SecretNamespace: n.settings.Kubernetes.Namespace,
	})
}

// render gives the files for version v.
func (n *node) render(ctx context.Context, cfg *bgp.Config, state *backends.State, v templates.Version) ([]templates.File, error) {
	files, err := n.engine.Render(ctx, templates.Input{Config: cfg, State: state, Version: v, Env: os.Getenv})
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no template resource is for BIRD %s", v)
	}
	return files, nil
}

// sets groups files into what is checked, swapped in and reloaded as one: the
// files of a daemon, or those that share a folder.
func (n *node) sets(files []templates.File, d daemons) []reload.Set {
	var sets []reload.Set
	index := map[string]int{}
	for _, f := range files {
		dest := filepath.Clean(f.Dest)
		if !filepath.IsAbs(dest) {
			dest = filepath.Join(d.dir, dest)
		}
		name := orElse(f.Daemon, setName(filepath.Dir(dest)))
		i, ok := index[name]
		if !ok {
			i = len(sets)
			index[name] = i
			sets = append(sets, reload.Set{Name: name, KeepStage: n.settings.Templates.KeepStageFile, Daemon: n.daemon(f, dest, d)})
		}
		sets[i].Files = append(sets[i].Files, n.file(f, dest))
	}
	return sets
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
	case f.Daemon == "" || n.settings.Templates.SyncOnly:
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

// usesSockets says whether BIRD is checked or reloaded over control sockets.
func (n *node) usesSockets() bool {
	return !n.settings.Templates.SyncOnly &&
		slices.ContainsFunc(n.engine.Resources(), func(r templates.Resource) bool { return r.Daemon != "" })
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

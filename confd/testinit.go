package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"confd/backends"
	"confd/internal/birds"
	"confd/internal/golden"
	"confd/internal/settings"
	"confd/templates"
)

// initCase makes a case of what the datastore says, in a new folder.
func (p program) initCase(ctx context.Context, o testOptions) error {
	if len(o.dirs) > 0 || o.update || o.run != "" {
		return settings.Error{Err: errors.New("--init goes without --update, --run and other folders")}
	}
	if empty, err := isFolderEmpty(o.init); err != nil || !empty {
		return settings.Error{Err: fmt.Errorf("--init: %s is there already, and not an empty folder", o.init)}
	}
	s, err := settings.Load(o.flags, p.around)
	if err != nil {
		return err
	}
	log := newLogger(s.Log)
	d, err := birds.Find(ctx, s.BIRD)
	if err != nil {
		return err
	}
	state, err := gatherOnce(ctx, s, log)
	if err != nil {
		return err
	}
	if err := makeCase(ctx, o.init, s, d.Version, state, log); err != nil {
		return fmt.Errorf("making a case: %w", err)
	}
	return p.runCases(ctx, testOptions{dirs: []string{o.init}, update: true, check: o.check, format: o.format, flags: o.runFlags()})
}

// makeCase writes all of a case but the files that it wants. What confd warns of
// now is what the case expects.
func makeCase(ctx context.Context, dir string, s settings.Settings, v templates.Version, state *backends.State, log *slog.Logger) error {
	out, err := writeCase(dir, s, state, log)
	if err != nil {
		return err
	}
	out.Bird = v.String()
	if err := writeCaseFile(dir, out); err != nil {
		return err
	}
	targets, err := findTargets(testOptions{dirs: []string{dir}})
	if err != nil {
		return err
	}
	r, err := newCaseRenderer(ctx, targets, birdChecker{mode: checkNever})
	if err != nil {
		return err
	}
	made, err := r.render(ctx, targets[0])
	if err != nil {
		return nil // running the case tells of it
	}
	for _, w := range made.Warnings {
		out.Warnings = append(out.Warnings, w.Text)
	}
	return writeCaseFile(dir, out)
}

func writeCaseFile(dir string, c golden.Settings) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Made by confd test --init. Passwords are replaced by %q.\n", hiddenSecret)
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, golden.CaseFile), text.Bytes(), 0o644)
}

// runFlags are the settings that running a case has a use for.
func (o testOptions) runFlags() settings.Layer {
	l := settings.Layer{}
	for _, name := range runSettingNames() {
		if g, ok := o.flags[name]; ok {
			l[name] = g
		}
	}
	return l
}

// writeCase writes the data and templates of a case, and returns its settings.
func writeCase(dir string, s settings.Settings, state *backends.State, log *slog.Logger) (golden.Settings, error) {
	out := golden.Settings{
		Node: s.Node, RouterID: s.BGP.RouterID, LogSeverity: s.BGP.LogSeverity,
		Namespace: s.Kubernetes.Namespace, Prefix: s.Templates.Prefix, Passwords: s.BGP.RequirePasswords,
	}
	if s.NodeRef != s.Node {
		out.K8sNodeRef = s.NodeRef
	}
	for _, c := range s.BGP.ClusterIPs {
		out.ClusterIPs = append(out.ClusterIPs, c.String())
	}
	if err := writeData(filepath.Join(dir, golden.DataFolder), s, state, log); err != nil {
		return out, err
	}
	if len(state.EndpointStatuses) > 0 {
		out.EndpointStatus = "endpoint-status"
		from := filepath.Join(s.BGP.EndpointStatusPrefix, "endpoint-status")
		names := slices.Sorted(maps.Keys(state.EndpointStatuses))
		if err := copyFiles(os.DirFS(from), names, filepath.Join(dir, out.EndpointStatus)); err != nil {
			return out, err
		}
	}
	own, err := copyTemplates(s.Templates.ConfDir, filepath.Join(dir, "confd"))
	if err != nil {
		return out, err
	}
	if own {
		out.ConfDir = "confd"
	}
	return out, nil
}

// writeData writes the resources of a state. Passwords are replaced.
func writeData(dir string, s settings.Settings, state *backends.State, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(state.Invalid), backends.Key.Compare) {
		log.Warn("not in the case: it cannot be used", "object", key.String(), "error", state.Invalid[key])
	}
	var text bytes.Buffer
	if err := writeState(&text, state, exportOptions{node: s}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cluster.yaml"), text.Bytes(), 0o644)
}

// copyTemplates copies conf.d and templates of a configuration folder, where it
// has them.
func copyTemplates(from, to string) (bool, error) {
	folder := os.DirFS(from)
	var names []string
	for _, top := range []string{"conf.d", "templates"} {
		err := fs.WalkDir(folder, top, func(name string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && name == top:
				return nil
			case err != nil:
				return err
			case d.IsDir() && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			case !d.IsDir() && !strings.HasPrefix(d.Name(), "."):
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		if len(names) == 0 {
			return false, nil // without conf.d, the built-in templates are used
		}
	}
	return true, copyFiles(folder, names, to)
}

// copyFiles copies files, through symbolic links.
func copyFiles(from fs.FS, names []string, to string) error {
	for _, name := range names {
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		file := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

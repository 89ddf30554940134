package golden

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
	"confd/bgp"
	"confd/internal/export"
	"confd/internal/settings"
	"confd/templates"
)

// Create writes a case of a state into a new folder: all but the files that it
// wants. s are the settings of the node whose case it is, and v is its BIRD's
// version. What confd warns of now is what the case expects. Passwords are
// replaced; log is told of what cannot be in a case.
func Create(ctx context.Context, dir string, s settings.Settings, v templates.Version, state *backends.State, log *slog.Logger) error {
	out, err := writeCase(dir, s, state, log)
	if err != nil {
		return err
	}
	out.Bird = v.String()
	if err := writeCaseFile(dir, out); err != nil {
		return err
	}
	warnings, err := warningsOf(ctx, dir)
	if err != nil {
		return nil // running the case tells of it
	}
	for _, w := range warnings {
		out.Warnings = append(out.Warnings, w.Text)
	}
	return writeCaseFile(dir, out)
}

// warningsOf are the warnings that come with a case of one node.
func warningsOf(ctx context.Context, dir string) ([]Warning, error) {
	cases, err := Find([]string{dir})
	if err != nil {
		return nil, err
	}
	t := cases[0].targets(cases[0].nodes)[0][0]
	r := &runner{builtIn: builtInTemplates}
	render, err := r.prepare(t, func() (*bgp.Cluster, error) { return t.load(ctx) })
	if err != nil {
		return nil, err
	}
	made, err := render(ctx, t)
	return made.Warnings, err
}

func writeCaseFile(dir string, c Settings) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Made by confd test --init. Passwords are replaced by %q.\n", bgp.HiddenPassword)
	if err := toml.NewEncoder(&text).Encode(c); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, CaseFile), text.Bytes(), 0o644)
}

// writeCase writes the data and templates of a case, and returns its settings.
func writeCase(dir string, s settings.Settings, state *backends.State, log *slog.Logger) (Settings, error) {
	out := Settings{
		Node: s.Node, RouterID: s.BGP.RouterID, LogSeverity: s.BGP.LogSeverity,
		Namespace: s.Kubernetes.Namespace, Prefix: s.Templates.Prefix, Passwords: s.BGP.RequirePasswords,
		PodCIDRs: s.Kubernetes.UsePodCIDR, Migration: s.BGP.LiveMigration,
	}
	if s.BGP.RestartWait != settings.DefaultRestartWait {
		out.RestartWait = s.BGP.RestartWait.String()
	}
	if s.BGP.MissingFilters != settings.MissingFiltersOpen {
		out.Filters = string(s.BGP.MissingFilters)
	}
	if s.NodeRef != s.Node {
		out.K8sNodeRef = s.NodeRef
	}
	for _, c := range s.BGP.ClusterIPs {
		out.ClusterIPs = append(out.ClusterIPs, c.String())
	}
	if err := writeData(filepath.Join(dir, DataFolder), s, state, log); err != nil {
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
		text := "not in the case: it cannot be used"
		if _, stands := state.Get(key); stands {
			text = "it cannot be used: in the case is what counts in its place"
		}
		log.Warn(text, "object", key.String(), "error", state.Invalid[key])
	}
	var text bytes.Buffer
	if err := export.Write(&text, state, export.Options{Namespace: s.Kubernetes.Namespace}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cluster.yaml"), text.Bytes(), 0o644)
}

// copyTemplates copies conf.d and templates of a configuration folder, where there
// is one that has them.
func copyTemplates(from, to string) (bool, error) {
	if from == "" {
		return false, nil
	}
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

package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"confd/internal/settings"
	"confd/templates"
)

// render writes what the node's BIRD would be given to stdout or a folder.
func render(ctx context.Context, s settings.Settings, stdout io.Writer) error {
	n, err := newNode(s, newLogger(ctx, s.Log))
	if err != nil {
		return err
	}
	return n.once(ctx, func(files []templates.File, _ rendering) error {
		if s.Output != "" {
			return writeFiles(s, files)
		}
		return printFiles(stdout, files)
	})
}

// writeFiles puts the files into the folder of --output, by their last name.
func writeFiles(s settings.Settings, files []templates.File) error {
	if err := os.MkdirAll(s.Output, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	written := map[string]string{}
	for _, f := range files {
		path := filepath.Join(s.Output, filepath.Base(f.Dest))
		if first, taken := written[path]; taken {
			return fmt.Errorf("%s and %s are both %s in the output folder: render them one at a time", first, f.Dest, path)
		}
		written[path] = f.Dest
		if err := writeOutput(path, f.Data, s.Templates.Mode); err != nil {
			return err
		}
	}
	return nil
}

// writeOutput writes a file at once, behind a link where path is one. What is no
// regular file (/dev/stdout) is written to, not replaced.
func writeOutput(path string, data []byte, mode fs.FileMode) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	var err error
	if info, statErr := os.Stat(path); statErr == nil && !info.Mode().IsRegular() {
		err = os.WriteFile(path, data, mode)
	} else {
		err = replaceFile(path, data, mode)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// replaceFile puts a file in the place of what is at path. It has just that mode,
// whatever the one before had.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	f, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after CloseAtomicallyReplace there is nothing to clean up
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// printFiles prints the files, each under its name where there are several.
func printFiles(w io.Writer, files []templates.File) error {
	for _, f := range files {
		if len(files) > 1 {
			if _, err := fmt.Fprintf(w, "# ==== %s ====\n", f.Dest); err != nil {
				return err
			}
		}
		if _, err := w.Write(f.Data); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"confd/etc"
	"confd/internal/settings"
)

// templatesCommand is confd templates, which only has commands below it.
func templatesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "templates", Short: "Work with the templates that are inside the program", Example: templatesExamples, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(exportTemplatesCommand())
	return cmd
}

func exportTemplatesCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "export DIR",
		Short:   "Write the templates inside the program into a folder, as a start for your own (use it with --confdir)",
		Example: "confd templates export own",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return settings.Error{Err: fmt.Errorf("name one folder to write to (see %s --help)", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			written, err := exportTemplates(args[0], force)
			for _, file := range written {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite files that are there and differ")
	return cmd
}

// exportTemplates writes the built-in conf.d and templates into dir, and returns
// the files that it wrote. Without force it writes nothing where a file would
// be overwritten that differs.
func exportTemplates(dir string, force bool) ([]string, error) {
	files, err := builtInFiles(dir)
	if err != nil {
		return nil, err
	}
	var missing []embeddedFile
	var inTheWay []string
	for _, f := range files {
		old, err := os.ReadFile(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
		case err != nil:
			return nil, err
		case !bytes.Equal(old, f.data):
			missing, inTheWay = append(missing, f), append(inTheWay, f.path)
		}
	}
	if len(inTheWay) > 0 && !force {
		return nil, fmt.Errorf("nothing is written: there are other files already (--force overwrites them): %s", strings.Join(inTheWay, ", "))
	}
	return writeEmbedded(missing)
}

// embeddedFile is a file inside the program, and where it goes.
type embeddedFile struct {
	path string
	data []byte
}

// builtInFiles are the built-in conf.d and templates as they come into dir.
func builtInFiles(dir string) ([]embeddedFile, error) {
	builtIn, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		return nil, err
	}
	var files []embeddedFile
	err = fs.WalkDir(builtIn, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(builtIn, name)
		files = append(files, embeddedFile{filepath.Join(dir, filepath.FromSlash(name)), data})
		return err
	})
	return files, err
}

func writeEmbedded(files []embeddedFile) ([]string, error) {
	var written []string
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return written, err
		}
		if err := renameio.WriteFile(f.path, f.data, 0o644); err != nil {
			return written, fmt.Errorf("writing %s: %w", f.path, err)
		}
		written = append(written, f.path)
	}
	return written, nil
}

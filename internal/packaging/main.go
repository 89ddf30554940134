// Command packaging makes what confd is released as: programs, packages, images
// and what goes with them. It is a module of its own, so that the program does
// not depend on what packs it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/packages"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/release"
	"confd/internal/packaging/source"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// settings are what all commands are told.
type settings struct {
	out     string // the folder to write to
	version string // empty: what git says
}

// tree is the tree that the working directory is in, and the folder to write to.
func (s *settings) tree(ctx context.Context) (source.Tree, string, error) {
	t, err := source.Read(ctx, ".", s.version)
	if err != nil {
		return source.Tree{}, "", err
	}
	if s.out == "" {
		return t, filepath.Join(t.Dir, "dist"), nil
	}
	out, err := filepath.Abs(s.out)
	if err != nil {
		return source.Tree{}, "", fmt.Errorf("the folder to write to: %w", err)
	}
	return t, out, nil
}

// build is tree, with the programs built in the folder, and what is packed with them.
func (s *settings) build(ctx context.Context) (tree source.Tree, out string, built []programs.Program, papers contents.Papers, err error) {
	if tree, out, err = s.tree(ctx); err != nil {
		return
	}
	built, papers, err = contents.Build(ctx, tree, filepath.Join(out, "programs"))
	return
}

func root() *cobra.Command {
	var s settings
	c := &cobra.Command{Use: "packaging", Short: "Make what confd is released as", SilenceUsage: true, SilenceErrors: true, Args: cobra.NoArgs}
	c.PersistentFlags().StringVar(&s.out, "out", "", "the `folder` to write to (default dist in the tree)")
	c.PersistentFlags().StringVar(&s.version, "version", "", "the `version`, such as v1.2.3 (default what git describe says)")
	c.AddCommand(
		programsCommand(&s),
		imagesCommand(&s),
		pinsCommand(&s),
		chartCommand(&s),
		packagesCommand(&s),
		releaseCommand(&s),
	)
	return c
}

// programsCommand builds what everything else packs.
func programsCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "programs", Short: "Build confd for all architectures, as FOLDER/ARCHITECTURE/confd", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, out, err := s.tree(c.Context())
			if err != nil {
				return err
			}
			_, err = programs.Build(c.Context(), tree, out)
			return err
		},
	}
}

// packagesCommand packs them for Debian and for Fedora and its kin.
func packagesCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "packages", Short: "Make deb and rpm for all architectures, as FOLDER/packages/*", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, out, built, papers, err := s.build(c.Context())
			if err != nil {
				return err
			}
			paths, err := packages.Build(c.Context(), tree, built, papers, filepath.Join(out, "packages"))
			for _, path := range paths {
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return err
		},
	}
}

// releaseCommand makes all of it.
func releaseCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "release", Short: "Make all that is released of the commit, twice, as FOLDER/VERSION, where both are the same", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, out, err := s.tree(c.Context())
			if err != nil {
				return err
			}
			return release.Make(c.Context(), tree, filepath.Join(out, strings.TrimSuffix(tree.Version, "-dirty")))
		},
	}
}

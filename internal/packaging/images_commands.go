package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"confd/internal/packaging/chart"
	"confd/internal/packaging/debian"
	"confd/internal/packaging/images"
	"confd/internal/packaging/programs"
)

// imagesCommand makes container images of the programs and of BIRD.
func imagesCommand(s *settings) *cobra.Command {
	var registry string
	c := &cobra.Command{
		Use: "images", Short: "Make container images for all architectures, as FOLDER/images/*", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, out, built, papers, err := s.build(c.Context())
			if err != nil {
				return err
			}
			store, err := debian.UserStore()
			if err != nil {
				return err
			}
			made, err := images.Build(c.Context(), tree, built, papers, store)
			if err != nil {
				return err
			}
			for _, image := range made {
				if err := image.Write(filepath.Join(out, "images")); err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), filepath.Join(out, "images", image.Name))
				if registry == "" {
					continue
				}
				if err := image.Push(c.Context(), registry); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&registry, "push", "", "the `registry` and path to push them to, besides: each as REGISTRY/NAME:VERSION")
	return c
}

// pinsCommand has images be made of what Debian has now.
func pinsCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "pins", Short: "Pin the packages of images to the versions that Debian has now (writes to the tree)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, _, err := s.tree(c.Context())
			if err != nil {
				return err
			}
			pins, err := debian.Newest(c.Context(), programs.Architectures())
			if err != nil {
				return err
			}
			file := filepath.Join(tree.Dir, "internal", "packaging", "debian", "pins.txt")
			if err := os.WriteFile(file, []byte(pins), 0o644); err != nil {
				return fmt.Errorf("the pins: %w", err)
			}
			return nil
		},
	}
}

// chartCommand packs the Helm chart.
func chartCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "chart", Short: "Pack the Helm chart, as FOLDER/chart/*", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			tree, out, err := s.tree(c.Context())
			if err != nil {
				return err
			}
			path, err := chart.Write(tree, filepath.Join(out, "chart"))
			fmt.Fprintln(c.OutOrStdout(), path)
			return err
		},
	}
}

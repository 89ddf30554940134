// Command record runs the demo and writes what it prints, line by line with the
// times, as a text and as a moving picture:
//
//	record -confd PATH-OF-CONFD -to NAME      writes NAME.txt and NAME.svg
//	record -draw -to NAME                     draws NAME.svg anew from NAME.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	confd := flag.String("confd", "bin/confd", "the program that the demo shows")
	draw := flag.Bool("draw", false, "run nothing, and draw the picture from the text")
	to := flag.String("to", "docs/demo", "where to write, without the ending of the files")
	flag.Parse()
	if err := run(ctx, *confd, *draw, *to); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, confd string, draw bool, to string) error {
	if !draw {
		if err := record(ctx, confd, to+".txt"); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(to + ".txt")
	if err != nil {
		return fmt.Errorf("reading the recording: %w", err)
	}
	r, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("reading %s.txt: %w", to, err)
	}
	svg, err := picture(r)
	if err != nil {
		return fmt.Errorf("drawing the picture: %w", err)
	}
	if err := os.WriteFile(to+".svg", []byte(svg), 0o644); err != nil {
		return fmt.Errorf("writing the picture: %w", err)
	}
	return nil
}

// record runs the demo, and writes the recording to a file.
func record(ctx context.Context, confd, to string) error {
	r, err := runDemo(ctx, filepath.Join("internal", "demo", "demo.sh"), confd)
	if err != nil {
		return err
	}
	if !r.inNamespaces() {
		return errors.New("the demo ran without namespaces, and shows less: run it as root, where namespaces may be made")
	}
	if err := os.WriteFile(to, []byte(r.String()), 0o644); err != nil {
		return fmt.Errorf("writing the recording: %w", err)
	}
	return nil
}

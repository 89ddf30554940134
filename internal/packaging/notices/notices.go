// Package notices gathers the licences of all that is part of a program, as they
// ask for themselves: whoever gets the program gets these.
package notices

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"confd/internal/packaging/source"
)

// names are those of files with licences and notices.
var names = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|copyright)([.-].*)?$`)

// part is something by others that is in the program.
type part struct {
	name string // with its version
	dir  string // where its source is
}

// Of writes down the licences of Go and of all modules in the program that was
// built from the tree. A part without a licence is an error.
func Of(ctx context.Context, tree source.Tree, program string) ([]byte, error) {
	parts, err := partsOf(ctx, tree, program)
	if err != nil {
		return nil, fmt.Errorf("the licences of what is in %s: %w", program, err)
	}
	// Many have the same text, which is written once, below all that it is for.
	var texts []string
	users := map[string][]string{}
	for _, p := range parts {
		text, err := licence(p)
		if err != nil {
			return nil, fmt.Errorf("the licences of what is in %s: %w", program, err)
		}
		if users[text] == nil {
			texts = append(texts, text)
		}
		users[text] = append(users[text], p.name)
	}
	var out bytes.Buffer
	out.WriteString("confd has these parts by others, each under the licence below it.\n")
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), strings.Join(users[text], "\n"), text)
	}
	return out.Bytes(), nil
}

// partsOf are Go itself and the modules that the program says it is made of.
func partsOf(ctx context.Context, tree source.Tree, program string) ([]part, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	goroot, err := run(ctx, tree.Dir, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	parts := []part{{"Go's runtime and standard library " + info.GoVersion, strings.TrimSpace(string(goroot))}}
	args := []string{"list", "-m", "-json"}
	for _, m := range info.Deps {
		args = append(args, m.Path)
	}
	out, err := run(ctx, tree.Dir, args...)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return parts, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		parts = append(parts, part{m.Path + " " + m.Version, m.Dir})
	}
}

func run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", args[0], err)
	}
	return out, nil
}

// licence is what the part's files of licences and notices say.
func licence(p part) (string, error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	var texts []string
	for _, e := range entries { // sorted by name
		if !e.Type().IsRegular() || !names.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.dir, e.Name()))
		if err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
		texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(text), "\r", ""))+"\n")
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("%s: there is no licence in %s", p.name, p.dir)
	}
	return strings.Join(slices.Compact(texts), "\n"), nil
}

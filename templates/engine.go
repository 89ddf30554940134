// Package templates turns a node's computed configuration into the text of
// BIRD's files: with the templates that are installed with the program, or with
// a user's own ones, written for Calico's confd.
//
// A configuration folder holds template resources (conf.d/*.toml) and the
// templates that they name (templates/). Load reads it, and Engine.Render gives
// the set of files that belong together.
package templates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	"confd/backends"
)

// The folders of a configuration folder, and the limits of one rendered file.
const (
	resourceFolder = "conf.d"
	templateFolder = "templates"
	// libraryFolder has templates that all others may use the definitions of.
	libraryFolder    = "templates/lib"
	defaultMaxOutput = 64 << 20
	defaultTimeout   = 10 * time.Second
)

// Engine holds the resources and parsed templates of one configuration folder.
// It does not change: where the folder did, Load makes a new one.
type Engine struct {
	options  Options
	sets     []compiled
	warnings []string
}

// compiled is a resource with its template.
type compiled struct {
	Resource
	template *template.Template
}

// Load reads the configuration folder fsys. A broken resource or template is an
// error that names file and line; where there are several, all are named.
func Load(fsys fs.FS, opts Options) (*Engine, error) {
	opts.Timeout = cmp.Or(opts.Timeout, defaultTimeout)
	opts.MaxOutput = cmp.Or(opts.MaxOutput, defaultMaxOutput)
	files, err := resourceFiles(fsys)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: opts}
	lib, err := readLibrary(fsys)
	if err != nil {
		return nil, err
	}
	var broken problems
	for _, file := range files {
		broken.add(e.load(fsys, file, lib))
	}
	broken.add(e.checkDestinations())
	if len(broken) > 0 {
		return nil, broken
	}
	slices.SortFunc(e.sets, func(a, b compiled) int { return cmp.Compare(a.Dest, b.Dest) })
	for _, w := range e.warnings {
		if opts.Logger != nil {
			opts.Logger.Warn(w)
		}
	}
	return e, nil
}

// problems are several errors, one a line.
type problems []error

func (p *problems) add(err error) {
	if err != nil {
		*p = append(*p, err)
	}
}

// Error is one line for each problem.
func (p problems) Error() string {
	lines := make([]string, len(p))
	for i, err := range p {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.Is and errors.As.
func (p problems) Unwrap() []error { return p }

// resourceFiles finds conf.d/**/*.toml. Folders whose names start with a dot
// are passed over: Kubernetes keeps the versions of a mounted ConfigMap there.
func resourceFiles(fsys fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, resourceFolder, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && path.Ext(file) == ".toml" && !strings.HasPrefix(d.Name(), "."):
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading template resources: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no template resources: %s has no file that ends in .toml", resourceFolder)
	}
	return files, nil
}

func readLibrary(fsys fs.FS) (library, error) {
	var lib library
	names, err := fs.Glob(fsys, libraryFolder+"/*.template")
	if err != nil {
		return lib, err
	}
	for _, name := range names {
		text, err := readRegular(fsys, name)
		if err != nil {
			return lib, fmt.Errorf("reading template: %w", err)
		}
		lib.names, lib.texts = append(lib.names, name), append(lib.texts, string(text))
	}
	return lib, nil
}

// readRegular reads a file; what is none (a pipe would never end) is an error.
func readRegular(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	return fs.ReadFile(fsys, name)
}

// load reads one resource and its template.
func (e *Engine) load(fsys fs.FS, file string, lib library) error {
	data, err := readRegular(fsys, file)
	if err != nil {
		return fmt.Errorf("reading template resource: %w", err)
	}
	r, warnings, err := parseResource(file, data, e.options)
	if err != nil {
		return err
	}
	src := path.Join(templateFolder, r.Src)
	text, err := readRegular(fsys, src)
	if err != nil {
		return fmt.Errorf("%s: src: %w", at(file, data, "src"), err)
	}
	t, err := parseTemplate(src, string(text), lib)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	e.sets = append(e.sets, compiled{Resource: *r, template: t})
	e.warnings = append(e.warnings, warnings...)
	return nil
}

func (e *Engine) checkDestinations() error {
	by := map[string]string{}
	for _, c := range e.sets {
		dest := path.Clean(c.Dest)
		if first, taken := by[dest]; taken {
			return fmt.Errorf("%s: dest: %s is written by %s already", c.File, c.Dest, first)
		}
		by[dest] = c.File
	}
	return e.checkDaemons()
}

// checkDaemons refuses two files that the same daemon is said to read.
func (e *Engine) checkDaemons() error {
	for i, c := range e.sets {
		for _, first := range e.sets[:i] {
			if c.Daemon != "" && c.Daemon == first.Daemon && sharesVersion(c.Resource, first.Resource) {
				return fmt.Errorf("%s: daemon: %s says already that %s reads its file; leave it out of files that are included", c.File, first.File, c.Daemon)
			}
		}
	}
	return nil
}

func sharesVersion(a, b Resource) bool {
	return len(a.Bird) == 0 || len(b.Bird) == 0 ||
		slices.ContainsFunc(a.Bird, func(v int) bool { return slices.Contains(b.Bird, v) })
}

// Resources are the template resources, sorted by destination.
func (e *Engine) Resources() []Resource {
	out := make([]Resource, len(e.sets))
	for i, c := range e.sets {
		out[i] = c.Resource
		out[i].Keys = slices.Clone(c.Keys)
	}
	return out
}

// Warnings say what in the resources means nothing, each with file and line.
func (e *Engine) Warnings() []string { return slices.Clone(e.warnings) }

// Render makes all files of the set, sorted by destination, or none. Errors
// name the template and line, and hold no passwords.
func (e *Engine) Render(ctx context.Context, in Input) ([]File, error) {
	if in.Config == nil {
		return nil, errors.New("rendering: there is no computed configuration")
	}
	if err := checkVersion(in.Config, in.Version); err != nil {
		return nil, err
	}
	if in.State == nil {
		in.State = backends.NewState()
	}
	if in.Env == nil {
		in.Env = func(string) string { return "" }
	}
	shared := newShared(in)
	files := make([]File, 0, len(e.sets))
	for _, c := range e.sets {
		if !c.isFor(in.Version) {
			continue
		}
		data, texts, err := e.render(ctx, c, shared)
		if err != nil {
			return nil, fmt.Errorf("rendering %s for %s: %w", c.File, c.Dest, hideSecrets(err, in.Config))
		}
		files = append(files, File{
			Resource: c.File, Dest: c.Dest, Data: data, Mode: c.Mode, UID: c.UID, GID: c.GID,
			CheckCmd: c.CheckCmd, ReloadCmd: c.ReloadCmd, Daemon: c.Daemon, Family: c.Family,
			template: c.template, texts: texts,
		})
	}
	return files, nil
}

// shared is what the files of one Render have in common: both parts are made
// when the first template needs them.
type shared struct {
	in   Input
	keys *keySource
	data map[int]Data // by address family
}

func newShared(in Input) *shared {
	return &shared{in: in, keys: newKeySource(in), data: map[int]Data{}}
}

func (s *shared) dataFor(family int) Data {
	d, made := s.data[family]
	if !made {
		d = newData(s.in.Config, s.in.Version, family)
		s.data[family] = d
	}
	return d
}

// sizeHint is about how many bytes our own templates make of data: most of a
// large file is sessions.
func sizeHint(data Data) int {
	size := 4 << 10
	for _, f := range data.Families {
		size += 200 * len(f.Family.Sessions)
	}
	return size
}

// textsBefore are the texts that a resource's template made before of sessions.
func (in Input) textsBefore(c compiled) []sessionTexts {
	i := slices.IndexFunc(in.Before, func(f File) bool { return f.template == c.template })
	if i < 0 {
		return nil
	}
	return in.Before[i].texts
}

// render makes one file, and the texts of its sessions.
func (e *Engine) render(ctx context.Context, c compiled, s *shared) (text []byte, texts []sessionTexts, err error) {
	limit := fmt.Errorf("took longer than %s", e.options.Timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.Timeout, limit)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v", c.template.Name(), p)
		}
	}()
	t, err := c.template.Clone()
	if err != nil {
		return nil, nil, err
	}
	r := &run{
		ctx: ctx, in: s.in, out: &limitedBuffer{max: e.options.MaxOutput}, before: s.in.textsBefore(c), template: t,
		keys: keyView{source: s.keys, prefix: c.Prefix, selected: c.Keys, resource: c.File},
	}
	data := s.dataFor(c.Family)
	r.out.buf.Grow(sizeHint(data))
	if err := t.Funcs(r.functions()).Execute(r.out, data); err != nil {
		return nil, nil, err
	}
	if r.out.full {
		return nil, nil, fmt.Errorf("%s: %w", t.Name(), r.out.err())
	}
	text = r.out.buf.Bytes()
	for i := range r.made {
		r.made[i].text = text[r.made[i].begin:]
	}
	return text, r.made, ended(ctx)
}

package agent

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing/fstest"
	"time"

	"sigs.k8s.io/yaml"

	"confd/backends"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/templates"
)

// commands are what a script can have happen, and what it can ask.
func (s *script) commands() map[string]func(args []string, body string) {
	return map[string]func([]string, string){
		// The program.
		"start":  func(args []string, _ string) { s.start(args) },
		"stop":   func([]string, string) { s.stop() },
		"kill":   func([]string, string) { s.kill() },
		"signal": func([]string, string) { s.signals <- syscall.SIGHUP },
		"hangups": func(args []string, _ string) {
			s.often(args, func(int) { s.signals <- syscall.SIGHUP })
			s.once("told to look at everything again")
		},
		"freeze": func(args []string, _ string) { s.freeze(s.duration(args[0])) },
		"wait":   func(args []string, _ string) { time.Sleep(s.duration(args[0])) },
		// The datastore.
		"nodes": func(args []string, _ string) { s.nodes(args) },
		"put":   func(_ []string, body string) { s.store.send(s.objects(body)...) },
		"gone":  func(args []string, _ string) { s.store.send(goneEvents(args)...) },
		"bad":   func(args []string, _ string) { s.store.send(badEvents(args)...) },
		"block": func(args []string, _ string) { s.blocks(args) },
		"storm": func(args []string, _ string) {
			s.often(args, func(i int) { s.blocks([]string{fmt.Sprintf("10.128.%d.0/26", i)}) })
		},
		"store": func(args []string, _ string) { s.store.stand(args...) },
		// BIRD, and what is around it.
		"bird":    func(args []string, body string) { s.bird(args, body) },
		"peers":   func(args []string, _ string) { s.peers(args) },
		"deaf":    func(args []string, _ string) { s.deaf(args) },
		"machine": func(args []string, _ string) { s.machine(args) },
		"breaks":  func(args []string, _ string) { s.breaks(args) },
		"keeps":   func(args []string, _ string) { s.keeps(args) },
		"routes":  func(_ []string, body string) { s.routes(body) },
		"edit":    func(args []string, body string) { s.edit(args[0], body) },
		"move":    func(args []string, _ string) { s.move(args[0], args[1]) },
		"fail":    func(args []string, _ string) { s.fail(args) },
		"heal":    func([]string, string) { s.world.faults.clear() },
		// The user.
		"templates": func(args []string, body string) { s.templates(args, body) },
		"approve":   func(args []string, _ string) { s.approve(len(args) > 0) },
		// Questions.
		"sessions": func([]string, string) { s.sessions() },
		"notes":    func([]string, string) { s.notes() },
		"files":    func(args []string, _ string) { s.files(strings.Join(args, " ")) },
		"metrics":  func(args []string, _ string) { s.metrics(args) },
	}
}

// often N PAUSE does something N times.
func (s *script) often(args []string, do func(i int)) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range n {
		do(i)
		time.Sleep(s.duration(args[1]))
	}
}

// once keeps, of what was said with a text, the first time alone.
func (s *script) once(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	said := s.out.String()
	s.out.Reset()
	n := 0
	for line := range strings.Lines(said) {
		if strings.Contains(line, text) {
			n++
		}
		if n <= 1 || !strings.Contains(line, text) {
			s.out.WriteString(line)
		}
	}
	fmt.Fprintf(&s.out, "          (%d times: %s)\n", n, text)
}

func (s *script) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// bird VERSION makes the node. Later on: bird start, stop, hang, answer [SET], of
// all sets or of one; bird reads [SET], with a text, or undoes [SET], by somebody
// else's hand; bird upgrade VERSION; bird none and bird there, for who looks which one
// there is.
func (s *script) bird(args []string, body string) {
	if s.world == nil {
		s.world = newFakeWorld(s.dir, args[0], &faults{}, s.say)
		return
	}
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	switch args[0] {
	case "upgrade":
		s.world.upgrade(name)
		return
	case "none", "there":
		s.world.mu.Lock()
		defer s.world.mu.Unlock()
		s.world.noBird = args[0] == "none"
		return
	}
	for _, socket := range s.world.sockets(name) {
		b := s.world.birds[socket]
		switch args[0] {
		case "start":
			s.world.startBIRD(socket)
		case "stop":
			b.kill()
		case "hang", "answer":
			b.hang(args[0] == "hang")
		case "reads":
			b.configure(strings.TrimSpace(body), 0)
		case "undoes":
			b.undo()
		default:
			s.t.Fatalf("bird %q", args)
		}
	}
}

// templates [command=TEXT] [other=TEXT] changes the templates to those of a body;
// templates broken to some that cannot be read.
func (s *script) templates(args []string, body string) {
	if len(args) > 0 && args[0] == "broken" {
		s.loaded, s.broken = plan.Templates{}, fmt.Errorf("template main: it is broken")
	} else {
		s.loaded, s.broken = s.load(args, body)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// load makes templates of a text: of BIRD's file, or, of 1.6, of both. An argument
// command=TEXT is BIRD's reload command, and other=TEXT is that of a set that no BIRD
// reads.
func (s *script) load(args []string, body string) (plan.Templates, error) {
	main := "[template]\nsrc = \"main\"\ndaemon = \"bird\"\ndest = \"bird.conf\"\n"
	files := fstest.MapFS{"templates/main": {Data: []byte(body)}}
	if s.world.daemons.Version.Major == 1 {
		main = "[template]\nsrc = \"main\"\ndaemon = \"bird\"\nfamily = 4\ndest = \"bird.cfg\"\n"
		files["conf.d/bird6.toml"] = &fstest.MapFile{Data: []byte("[template]\nsrc = \"main\"\ndaemon = \"bird6\"\nfamily = 6\ndest = \"bird6.cfg\"\n")}
	}
	for _, a := range args {
		name, command, _ := strings.Cut(a, "=")
		line := fmt.Sprintf("reload_cmd = %q\n", command)
		switch name {
		case "command":
			main += line
		case "other":
			files["templates/other"] = &fstest.MapFile{Data: []byte("{{range .Families}}{{range .Sessions}}{{.Name}} {{end}}{{end}}")}
			dir := filepath.Join(s.dir, "other")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				s.t.Fatal(err)
			}
			files["conf.d/other.toml"] = &fstest.MapFile{Data: []byte("[template]\nsrc = \"other\"\ndest = \"" + dir + "/other\"\n" + line)}
		default:
			s.t.Fatalf("templates %q", args)
		}
	}
	files["conf.d/bird.toml"] = &fstest.MapFile{Data: []byte(main)}
	engine, err := templates.Load(files, templates.Options{Node: "node-1", Logger: quiet()})
	if err != nil {
		return plan.Templates{}, err
	}
	return plan.Templates{Engine: engine}, nil
}

// nodes N [FAMILIES] has nodes up to N, with addresses 10.0.0.N, and fd00::N where
// the families are 46.
func (s *script) nodes(args []string) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		s.t.Fatal(err)
	}
	six := ""
	if len(args) > 1 {
		six = ", ipv6Address: \"fd00::%[1]d/64\""
	}
	var list []backends.Event
	for i := range n {
		list = append(list, s.objects(fmt.Sprintf("kind: Node\nmetadata: {name: node-%[1]d}\nspec: {bgp: {ipv4Address: 10.0.0.%[1]d/24"+six+"}}", i+1))...)
	}
	s.store.send(list...)
}

// objects are the events that put the objects of a YAML text.
func (s *script) objects(text string) []backends.Event {
	var list []backends.Event
	for _, doc := range strings.Split(text, "\n---\n") {
		data, err := yaml.YAMLToJSON([]byte("apiVersion: projectcalico.org/v3\n" + doc))
		if err != nil {
			s.t.Fatal(err)
		}
		var head struct{ Kind backends.Kind }
		if err := yaml.Unmarshal(data, &head); err != nil {
			s.t.Fatal(err)
		}
		r, err := backends.Decode(head.Kind, "", data)
		if err != nil {
			s.t.Fatal(err)
		}
		list = append(list, backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return list
}

func goneEvents(args []string) []backends.Event {
	var list []backends.Event
	for _, name := range args[1:] {
		namespace := ""
		if before, after, ok := strings.Cut(name, "/"); ok {
			namespace, name = before, after
		}
		list = append(list, backends.Event{Key: backends.Key{Kind: backends.Kind(args[0]), Namespace: namespace, Name: name}})
	}
	return list
}

func badEvents(args []string) []backends.Event {
	return []backends.Event{{Key: backends.Key{Kind: backends.Kind(args[0]), Name: args[1]}, Err: fmt.Errorf("it is garbage")}}
}

// blocks gives this node blocks.
func (s *script) blocks(args []string) {
	for _, cidr := range args {
		s.store.send(s.objects(fmt.Sprintf("kind: BlockAffinity\nmetadata: {name: node-1-%s}\nspec: {node: node-1, cidr: %s, state: confirmed}",
			strings.NewReplacer(".", "-", "/", "-").Replace(cidr), cidr))...)
	}
}

// peers up|down SESSION... has the peers of sessions come and go.
func (s *script) peers(args []string) {
	s.world.mu.Lock()
	for _, name := range args[1:] {
		s.world.downPeers[name] = args[0] == "down"
	}
	s.world.mu.Unlock()
	s.world.peersChanged()
}

// deaf SESSION... says which neighbors cannot send their routes again.
func (s *script) deaf(names []string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.deaf = names
}

// machine ADDRESS... says which addresses the machine's interfaces have.
func (s *script) machine(args []string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.addresses = nil
	for _, a := range args {
		s.world.addresses = append(s.world.addresses, netip.MustParseAddr(a))
	}
}

// keeps SESSION... says which sessions must not end by what BIRD is told to use.
func (s *script) keeps(names []string) {
	for _, b := range s.world.birds {
		b.keep(names)
	}
}

// breaks SESSION TEXT has a session be down while BIRD uses what has that text.
func (s *script) breaks(args []string) {
	s.world.mu.Lock()
	s.world.breaks[args[0]] = strings.Join(args[1:], " ")
	s.world.mu.Unlock()
	s.world.peersChanged()
}

// fail STEP SET ERROR [TIMES [TAKES]] has steps fail; SET is - for any. With the
// error ok they only take their time.
func (s *script) fail(args []string) {
	err, known := errWords[args[2]]
	if !known {
		s.t.Fatalf("fail: no error %q", args[2])
	}
	f := &fault{step: args[0], set: strings.TrimPrefix(args[1], "-"), err: err, times: 1}
	if len(args) > 3 {
		f.times, _ = strconv.Atoi(args[3])
	}
	if len(args) > 4 {
		f.takes = s.duration(args[4])
	}
	s.world.faults.add(f)
}

// edit FILE changes a file on disk; without a body it is removed.
func (s *script) edit(name, body string) {
	path := filepath.Join(s.dir, name)
	var err error
	if body == "" {
		err = os.Remove(path)
	} else {
		err = writeAtOnce(path, body)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// move gives a file on disk another name.
func (s *script) move(from, to string) {
	if err := os.Rename(filepath.Join(s.dir, from), filepath.Join(s.dir, to)); err != nil {
		s.t.Fatal(err)
	}
}

// approve approves what the report says is held; approve late what it said last.
func (s *script) approve(late bool) {
	if s.held == nil || !late && s.heldNow() == nil {
		s.say("nothing is held")
		return
	}
	if err := report.Approve(s.dir, *s.held); err != nil {
		s.t.Fatal(err)
	}
}

// heldNow is what the report says is held; nil: nothing.
func (s *script) heldNow() *report.Held {
	r, err := report.ReadOwn(s.dir)
	if err != nil || r == nil {
		return nil
	}
	if r.Held != nil {
		s.held = r.Held
	}
	return r.Held
}

// notes are what the report says besides of what is held.
func (s *script) notes() {
	held := s.heldNow()
	if held == nil {
		s.say("nothing is held")
		return
	}
	for _, text := range held.Notes {
		s.say("besides: %s", text)
	}
}

// sessions lists those that are established.
func (s *script) sessions() {
	for _, socket := range s.world.daemons.Sockets() {
		s.say("%s: %s", filepath.Base(socket), strings.Join(s.world.birds[socket].status().established(), " "))
	}
}

// files TEXT says which lines of files, and of what BIRD uses, have a text.
func (s *script) files(text string) {
	grep := func(name, all string) {
		found := "nothing"
		for line := range strings.Lines(all) {
			if strings.Contains(line, text) {
				found = strings.TrimSpace(line)
			}
		}
		s.say("%s: %s", name, found)
	}
	for _, socket := range s.world.daemons.Sockets() {
		file := s.world.mainFile(socket)
		grep(filepath.Base(file), textOf(file))
		grep(filepath.Base(socket), s.world.birds[socket].status().text)
	}
}

// metrics NAME... says what metrics whose names begin so are, where not 0.
func (s *script) metrics(names []string) {
	w := httptest.NewRecorder()
	s.agent.observer.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(line, n) }) && !strings.HasSuffix(line, " 0") {
			s.say("%s", line)
		}
	}
}

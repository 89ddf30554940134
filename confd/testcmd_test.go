package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/internal/golden"
	"confd/internal/settings"
	"confd/internal/testenv"
	"confd/internal/version"
)

// testNode is a resource that a case can live on.
const testNode = "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: a}\nspec: {bgp: {ipv4Address: 10.0.0.1/24}}\n"

// program1 runs the program as main does, with variables of its own.
func program1(t *testing.T, env map[string]string, args ...string) called {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := program{
		about: version.Info{Version: "v1.2.3"}, around: around(env), stdout: &stdout, stderr: &stderr, render: render,
		run: func(context.Context, settings.Settings) error { t.Error("the daemon is started"); return nil },
	}
	code := p.execute(t.Context(), args)
	return called{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

// want checks an exit code, and that all parts are in what was printed.
func (c called) want(t *testing.T, code int, parts ...string) {
	t.Helper()
	if c.code != code {
		t.Errorf("exit code %d, want %d", c.code, code)
	}
	for _, part := range parts {
		if !strings.Contains(c.stdout+c.stderr, part) {
			t.Errorf("%q is not in what was printed", part)
		}
	}
	if t.Failed() {
		t.Fatalf("printed:\n%s%s", c.stdout, c.stderr)
	}
}

// birdPath is a PATH with the BIRDs of the tests.
func birdPath(t *testing.T) string {
	t.Helper()
	var dirs []string
	for _, v := range testenv.BirdVersions() {
		dirs = append(dirs, filepath.Dir(testenv.Bird(t, v)))
	}
	return strings.Join(dirs, string(filepath.ListSeparator))
}

// files writes files below a new folder, and returns it.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		put(t, filepath.Join(dir, name), text)
	}
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// smallCase is a case with a template of its own that prints text.
func smallCase(text string) map[string]string {
	return map[string]string{
		"case.toml":                    "node = \"a\"\nbird = \"2\"\nconfdir = \"confd\"\n",
		"node.yaml":                    testNode,
		"confd/conf.d/bird.toml":       "[template]\nsrc = \"bird\"\ndest = \"/etc/bird/bird.conf\"\ncheck_cmd = \"bird -p -c {{.src}}\"\n",
		"confd/templates/bird":         text,
		"confd/conf.d/addresses.toml":  "[template]\nsrc = \"addresses\"\ndest = \"/etc/bird/sub/addresses.conf\"\nkeys = [\"/bgp/v1/host//NODENAME\"]\ncheck_cmd = \"exit 1\"\n",
		"confd/templates/addresses":    "# {{getv \"/bgp/v1/host/a/ip_addr_v4\"}}\n",
		"confd/templates/lib/unused.x": "",
	}
}

const goodBird = "router id {{.RouterID}};\ninclude \"sub/addresses.conf\";\nprotocol device { }\n"

func TestCasesExamples(t *testing.T) {
	args := []string{"test", "../etc/examples"}
	if *update {
		program1(t, nil, append(args, "--update")...).want(t, exitGood)
	}
	program1(t, nil, append(args, "--check", "never")...).want(t, exitGood,
		"ok      ../etc/examples/own-templates\n", "ok      ../etc/examples/rack/rack7-node1/2\n",
		"5 checks: 5 passed, 0 failed; BIRD read 0 of them (")
	program1(t, map[string]string{"PATH": birdPath(t)}, append(args, "--check=always")...).want(t, exitGood,
		"rack/reflector1/3 (read by BIRD 3.1.8)", "BIRD read 5 of them")
}

func TestCasesMismatchAndUpdate(t *testing.T) {
	dir := files(t, smallCase(goodBird))
	program1(t, nil, "test", dir).want(t, exitFailed,
		"FAIL    "+dir+"\n", "want/bird.conf is not wanted yet, but rendered, with 3 lines", "want/addresses.conf is", "1 of 1 checks failed; what is meant to differ, confd test --update takes over")
	program1(t, nil, "test", "-update", dir).want(t, exitGood, "updated "+dir+": want/addresses.conf, want/bird.conf\n", "1 updated")
	program1(t, nil, "test", dir).want(t, exitGood, "1 passed, 0 failed")

	put(t, filepath.Join(dir, "want/bird.conf"), "router id 10.0.0.2;\n"+strings.SplitN(read(t, filepath.Join(dir, "want/bird.conf")), "\n", 2)[1])
	put(t, filepath.Join(dir, "want/old/gone.conf"), "x\n")
	put(t, filepath.Join(dir, "want/.gitkeep"), "")
	c := program1(t, nil, "test", dir)
	c.want(t, exitFailed, "--- want/bird.conf\n+++ want/bird.conf (rendered)\n@@ -1,3 +1,3 @@\n-router id 10.0.0.2;\n+router id 10.0.0.1;\n include",
		"want/old/gone.conf is wanted, but not rendered")
	if strings.Contains(c.stdout, "\x1b") || strings.Contains(c.stdout, "addresses.conf") && !strings.Contains(c.stdout, "include") {
		t.Errorf("colours without a terminal, or a file that is as wanted:\n%s", c.stdout)
	}
	program1(t, nil, "test", dir, "--update").want(t, exitGood, "want/bird.conf, -want/old/gone.conf")
	if _, err := os.Stat(filepath.Join(dir, "want/old")); err == nil {
		t.Error("the folder of a file that was removed is still there")
	}
	read(t, filepath.Join(dir, "want/.gitkeep"))
	program1(t, nil, "test", dir, "--update").want(t, exitGood, "ok      "+dir)
}

func TestCasesFormats(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"good": goodBird, "bad": "{{range}}"} {
		for file, content := range smallCase(text) {
			put(t, filepath.Join(root, name, file), content)
		}
	}
	program1(t, nil, "test", root, "--update", "--run", "good$").want(t, exitGood, "1 check: 1 passed")
	program1(t, nil, "test", root, "--format", "tap").want(t, exitFailed,
		"TAP version 14\n1..2\nnot ok 1 - ", "# templates in "+root+"/bad/confd: ", "templates/bird:1: missing value for range", "\nok 2 - "+root+"/good (not checked: ")
	c := program1(t, nil, "test", root, "--format", "junit")
	c.want(t, exitFailed)
	var x struct {
		Failures int `xml:"failures,attr"`
		Suite    struct {
			Cases []struct {
				Name    string  `xml:"name,attr"`
				Failure *string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(c.stdout), &x); err != nil {
		t.Fatalf("%v:\n%s", err, c.stdout)
	}
	if x.Failures != 1 || len(x.Suite.Cases) != 2 || x.Suite.Cases[0].Failure == nil || x.Suite.Cases[1].Failure != nil || x.Suite.Cases[1].Name != "good" {
		t.Errorf("%+v", x)
	}
}

// TestCasesIgnoreTheEnvironment has settings all around that a case must not see.
func TestCasesIgnoreTheEnvironment(t *testing.T) {
	texts := smallCase("{{.Node}} {{.RouterID}} {{getenv \"SITE\" \"none\"}} {{getenv \"OWN\"}} {{getenv \"NODENAME\"}}\n")
	texts["case.toml"] += "[env]\nOWN = \"mine\"\n"
	dir := files(t, texts)
	t.Setenv("SITE", "leaked")
	t.Setenv("NODENAME", "b")
	env := map[string]string{
		"NODENAME": "b", "CALICO_ROUTER_ID": "9.9.9.9", "CONFD_PREFIX": "/x", "CONFD_CONFDIR": "/nowhere", "CONFD_CONFIG_FILE": "/nowhere",
		"DATASTORE_TYPE": "nonsense", "CONFD_BIRD": "nonsense",
	}
	program1(t, env, "test", "--update", dir).want(t, exitGood)
	if got, want := read(t, filepath.Join(dir, "want/bird.conf")), "a 10.0.0.1 none mine a\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCasesWarnings(t *testing.T) {
	texts := smallCase(goodBird)
	texts["peer.yaml"] = "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec: {peerIP: 10.0.0.2, asNumber: 8589934592}\n"
	dir := files(t, texts)
	// An update writes files, and lists no warning.
	c := program1(t, nil, "test", dir, "--update")
	c.want(t, exitFailed, "1 warning that ", "/case.toml: warnings does not list", "  BGPPeer p: left out: spec.asNumber: ", `to expect it: warnings = ["`)
	if strings.Contains(c.stderr, "takes over") {
		t.Errorf("what --update does not do is recommended:\n%s", c.stderr)
	}
	read(t, filepath.Join(dir, "want/bird.conf"))
	program1(t, nil, "test", dir).want(t, exitFailed, "does not list")
	put(t, filepath.Join(dir, "case.toml"), texts["case.toml"]+"warnings = [\"8589934592 is above\"]\n")
	program1(t, nil, "test", dir).want(t, exitGood)

	// A file of the lines does as well. What is not true any more is a mismatch.
	put(t, filepath.Join(dir, "case.toml"), texts["case.toml"])
	warnings, line := filepath.Join(dir, "want/warnings.txt"), "BGPPeer p: left out: spec.asNumber: 8589934592 is above 4294967295\n"
	put(t, warnings, line)
	program1(t, nil, "test", dir).want(t, exitGood)
	put(t, warnings, line+"BGPPeer q: gone\n")
	program1(t, nil, "test", dir).want(t, exitFailed, "-BGPPeer q: gone")
	program1(t, nil, "test", dir, "--update").want(t, exitGood, "want/warnings.txt")
	if got := read(t, warnings); got != line {
		t.Errorf("got %q", got)
	}
	put(t, filepath.Join(dir, "case.toml"), texts["case.toml"]+"warnings = [\"\"]\n")
	program1(t, nil, "test", dir).want(t, exitUsage, "an empty text is in the list")
}

// TestCasesMistyped has a mistyped field in a case: the check fails, and shows it.
func TestCasesMistyped(t *testing.T) {
	texts := smallCase(goodBird)
	texts["peer.yaml"] = "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: p}\nspec:\n  peerIP: 10.0.0.2\n  asNumbr: 65001\n"
	texts["values.yaml"] = "replicas: 1\n"
	dir := files(t, texts)
	program1(t, nil, "test", dir, "--update").want(t, exitFailed,
		"  BGPPeer p: spec.asNumbr: BGPPeer has no such field, so nothing of it is read; did you mean asNumber?\n    "+dir+"/peer.yaml:6:3\n        asNumbr: 65001\n        ^\n")
	put(t, filepath.Join(dir, "case.toml"), texts["case.toml"]+"warnings = [\"unknown-field\"]\n")
	program1(t, nil, "test", dir).want(t, exitGood)
	program1(t, nil, "test", "--strict", dir).want(t, exitFailed, "1 warning, which --strict makes errors:", "spec.asNumbr")
	put(t, filepath.Join(dir, "peer.yaml"), "apiVersion: projectcalico.org/v3\nkind: bgpPeer\n")
	put(t, filepath.Join(dir, "case.toml"), texts["case.toml"])
	program1(t, nil, "test", dir).want(t, exitFailed, `has no kind "bgpPeer", so nothing of it is read; did you mean BGPPeer?`, "peer.yaml:2:7")
}

func TestCasesRefusedByBIRD(t *testing.T) {
	env := map[string]string{"PATH": birdPath(t)}
	dir := files(t, smallCase(goodBird))
	program1(t, env, "test", dir, "--update", "--check", "always").want(t, exitGood, "BIRD read 1 of them")
	put(t, filepath.Join(dir, "confd/templates/bird"), goodBird+"protocol nonsense { }\n")
	for _, args := range [][]string{{}, {"--update"}} {
		program1(t, env, append([]string{"test", dir}, args...)...).want(t, exitFailed,
			"BIRD 2.0.12 does not take it: ", "etc/bird/bird.conf:4:", "\n    protocol nonsense { }\n")
	}
	if strings.Contains(read(t, filepath.Join(dir, "want/bird.conf")), "nonsense") {
		t.Error("--update wrote what BIRD refuses")
	}
	program1(t, env, "test", dir, "--update", "--check", "never").want(t, exitGood)
	program1(t, map[string]string{"PATH": "/nowhere"}, "test", dir, "--check", "always").want(t, exitFailed, "not checked: there is no BIRD 2 of version 2.0.12 or later")
	program1(t, nil, "test", dir, "--bird-binary", "/nowhere/bird").want(t, exitUsage, "--bird-binary")
}

func TestCasesBroken(t *testing.T) {
	good := "node = \"a\"\nbird = \"2\"\n"
	for toml, want := range map[string]string{
		"node = ":                               "case.toml:1: ",
		"bird = \"2\"\n":                        "case.toml: node: needed",
		"node = \"a\"\n":                        "case.toml: bird: needed",
		"node = \"a\"\nbird = 2\n":              "case.toml:2: bird: needed",
		"node = \"a\"\nbird = \"7\"\n":          `case.toml:2: bird: "7": expected`,
		"node = \"a\"\nbird = \"auto\"\n":       `case.toml:2: bird: "auto" is no BIRD version`,
		"node = \"../b\"\nbird = \"2\"\n":       `"../b" is not a name`,
		"node = \"*\"\nbird = \"2\"\n":          `case.toml:1: node: "*" is a pattern, and node is for one name: nodes = "*" takes`,
		"nodes = [\"a\", \"a\"]\nbird = \"2\"":  "a is there twice",
		good + "nodes = [\"a\"]\n":              "case.toml:3: nodes: node is given",
		good + "router-id = \"x\"\n":            `case.toml:3: router-id: "x": expected an IPv4 address`,
		good + "router_id = \"hash\"\n":         "case.toml:3: router_id: unknown key; did you mean router-id?",
		good + "NODE = \"b\"\n":                 "case.toml:3: node is there twice",
		good + "confdir = \"nowhere\"\n":        "case.toml:3: confdir: ",
		good + "data = [\"nowhere.yaml\"]\n":    "case.toml:3: data: ",
		good + "data = []\n":                    "the case has no resources",
		good + "endpoint-status = \"b\"\n":      "case.toml:3: endpoint-status: ",
		good + "data = [\"broken\"]\n":          "broken/x.yaml, document 1",
		good + "advertise-cluster-ips = [\"\"]": "",
	} {
		dir := files(t, map[string]string{"case.toml": toml, "a.yaml": testNode, "broken/x.yaml": "kind: ["})
		c := program1(t, nil, "test", dir)
		code := exitUsage
		if want == "" {
			code = exitFailed // there are no wanted files
		}
		if c.code != code || !strings.Contains(c.stdout+c.stderr, want) {
			t.Errorf("%s\ngot exit code %d and\n%s%s\nwant %d and %q", toml, c.code, c.stdout, c.stderr, code, want)
		}
	}
	empty := t.TempDir()
	for _, args := range [][]string{
		{empty}, {"/nowhere"}, {"--check", "x"}, {"--format", "x"}, {"--run", "("}, {"--run", "nothing", "../etc/examples"}, {"--node", "a"}, {"--init", "..", "--node", "a"},
	} {
		if c := program1(t, nil, append([]string{"test"}, args...)...); c.code != exitUsage {
			t.Errorf("%v: %+v", args, c)
		}
	}
}

// TestCasesMany runs 200 cases, half of them with templates of their own.
func TestCasesMany(t *testing.T) {
	root := t.TempDir()
	for file, text := range smallCase(goodBird) {
		put(t, filepath.Join(root, "shared", strings.Replace(file, "case.toml", "no-case", 1)), text)
	}
	cluster := read(t, "testdata/golden/mesh/data.yaml")
	for i := range 200 {
		toml := "node = \"node-1\"\nbird = \"2\"\n"
		if i%2 == 0 {
			toml = "node = \"a\"\nbird = \"2\"\nconfdir = \"../shared/confd\"\n"
		}
		dir := filepath.Join(root, fmt.Sprintf("case-%03d", i))
		put(t, filepath.Join(dir, "case.toml"), toml)
		put(t, filepath.Join(dir, "data.yaml"), cluster+"\n---\n"+testNode)
	}
	program1(t, nil, "test", root, "--update", "--check", "never").want(t, exitGood, "200 updated")
	began := time.Now()
	program1(t, nil, "test", root, "--check", "never").want(t, exitGood, "200 checks: 200 passed")
	t.Logf("200 cases took %s", time.Since(began))
}

func TestTemplatesExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "confd")
	program1(t, nil, "templates", "export", dir).want(t, exitGood, dir+"/conf.d/bird.toml\n", dir+"/templates/lib/policy.template\n")
	renderWith := func(confdir string) string {
		c := program1(t, map[string]string{"CONFD_CONFIG_FILE": write(t, "confd.toml", "")}, "render", "--data", "testdata/golden/mesh/data.yaml",
			"--node", "node-1", "--bird", "2", "--log-level", "error", "--endpoint-status-prefix", dir, "--confdir", confdir)
		c.want(t, exitGood)
		return c.stdout
	}
	if diff := cmp.Diff(renderWith("/nowhere"), renderWith(dir)); diff != "" {
		t.Errorf("the exported templates are not the built-in ones (-built in +exported):\n%s", diff)
	}
	put(t, filepath.Join(dir, "conf.d/bird.toml"), "changed")
	program1(t, nil, "templates", "export", dir).want(t, exitFailed, "nothing is written", "conf.d/bird.toml", "--force")
	program1(t, nil, "templates", "export", "--force", dir).want(t, exitGood, "conf.d/bird.toml")
	program1(t, nil, "templates", "export").want(t, exitUsage, "name one folder")
	program1(t, nil, "templates", "import").want(t, exitUsage, `unknown command "import"`)
	program1(t, nil, "templates").want(t, exitGood, "export")
}

// TestInitCase makes cases of a datastore that has a password, and a workload
// that speaks BGP.
func TestInitCase(t *testing.T) {
	const secret = "verysecret"
	prefix := files(t, map[string]string{"endpoint-status/w0": `{"ifaceName":"cali0","ipv4Nets":["10.1.0.5/32"],"bgpPeerName":"routers"}`})
	data := write(t, "cluster.yaml", testNode+`---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: {peerIP: 10.0.0.2, asNumber: 65001, password: {secretKeyRef: {name: s, key: k}}}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: routers}, spec: {localWorkloadSelector: all(), asNumber: 65002}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: kube-system}, stringData: {k: `+secret+`, other: `+secret+`}}
`)
	own := files(t, smallCase(goodBird))
	t.Chdir(filepath.Join(own, "confd"))
	builtIn := []string{"protocol bgp Global_10_0_0_2 ", `password "hidden";`, "protocol bgp Local_Workload_10_1_0_5 "}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no folder": {[]string{"--confdir="}, builtIn},
		"built in":  {[]string{"--confdir", "/nowhere"}, builtIn},
		"own":       {[]string{"--confdir", filepath.Join(own, "confd"), "--router-id", "hash"}, []string{"router id ", "sub/addresses.conf"}},
	} {
		dir := filepath.Join(t.TempDir(), "case")
		env := map[string]string{"NODENAME": "a", "CONFD_DATA": data, "CALICO_ENDPOINT_STATUS_PATH_PREFIX": prefix, "CONFD_CONFIG_FILE": write(t, "confd.toml", "")}
		args := append([]string{"test", "--init", dir, "--bird", "2.17.6", "--log-level", "error"}, c.args...)
		program1(t, env, args...).want(t, exitGood, "updated "+dir+": ", "1 updated")
		program1(t, nil, "test", dir).want(t, exitGood, "1 passed")
		got := read(t, filepath.Join(dir, "want/bird.conf"))
		for _, part := range c.want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is not in\n%s", name, part, got)
			}
		}
		if found := grep(t, dir, secret); len(found) > 0 {
			t.Errorf("%s: the password is in %v", name, found)
		}
		program1(t, env, args...).want(t, exitUsage, "is there already")

		none := filepath.Join(t.TempDir(), "case")
		args[2] = none
		program1(t, env, append(args, "--node", "nobody")...).want(t, exitFailed, "making a case: node \"nobody\": the datastore has no such node")
		if _, err := os.Stat(none); err == nil {
			t.Errorf("%s: a case is made of a node that there is not", name)
		}
	}
}

// TestInitCaseFromEtcd makes a case of a live datastore.
func TestInitCaseFromEtcd(t *testing.T) {
	etcd := testenv.StartEtcd(t)
	kv, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	for name, spec := range map[string]string{
		"nodes/a":    `{"kind":"Node","metadata":{"name":"a"},"spec":{"bgp":{"ipv4Address":"10.0.0.1/24"}}}`,
		"nodes/b":    `{"kind":"Node","metadata":{"name":"b"},"spec":{"bgp":{"ipv4Address":"10.0.0.2/24"}}}`,
		"bgppeers/p": `{"kind":"BGPPeer","metadata":{"name":"p"},"spec":{"peerIP":"none","asNumber":1}}`,
	} {
		if _, err := kv.Put(t.Context(), "/calico/resources/v3/projectcalico.org/"+name, spec); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "case")
	env := map[string]string{"NODENAME": "a", "ETCD_ENDPOINTS": etcd.Endpoint(), "CONFD_CONFIG_FILE": write(t, "confd.toml", "")}
	program1(t, env, "test", "--init", dir, "--bird=2", "--log-level=error", "--confdir=/nowhere", "--endpoint-status-prefix", dir).want(t, exitGood, "1 updated")
	if got := read(t, filepath.Join(dir, "want/bird.conf")); !strings.Contains(got, "protocol bgp Mesh_10_0_0_2 ") {
		t.Error(got)
	}
	program1(t, nil, "test", dir).want(t, exitGood, "1 passed")
}

// grep names the files below dir that hold a text.
func grep(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && strings.Contains(read(t, path), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestCasesOfCalico has BIRD 1.6 read what templates in Calico's manner make:
// two main files, and those that they include.
func TestCasesOfCalico(t *testing.T) {
	confdir, err := filepath.Abs("../templates/testdata/calico-style/2026")
	if err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{
		"case.toml": fmt.Sprintf("node = \"node-1\"\nbird = \"1.6.8\"\nconfdir = %q\nwarnings = ['\"not-there\"']\n", confdir),
		"data.yaml": read(t, "testdata/golden/filters/data.yaml"),
	})
	program1(t, map[string]string{"PATH": birdPath(t)}, "test", dir, "--update", "--check", "always").want(t, exitGood, "BIRD read 1 of them")
	read(t, filepath.Join(dir, "want/bird6.cfg"))
	texts := smallCase("include \"more.conf\";\n")
	program1(t, map[string]string{"PATH": birdPath(t)}, "test", files(t, texts), "--update").want(t, exitGood,
		"1 updated; BIRD read 0", "updated ")
}

// TestCasesHaveEverySetting fails where a setting that decides what is rendered
// cannot be given in a case.
func TestCasesHaveEverySetting(t *testing.T) {
	known := map[string]bool{"endpoint-status-prefix": true} // a case's endpoint-status
	for _, f := range reflect.VisibleFields(reflect.TypeFor[golden.Settings]()) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		known[name] = true
	}
	for _, s := range settings.Table() {
		if s.Group == settings.GroupBGP && !known[s.Name] {
			t.Errorf("%s needs a field in golden.Settings", s.Name)
		}
	}
}

// TestDocsGoldenTests holds the page on golden checks to what there is.
func TestDocsGoldenTests(t *testing.T) {
	page := read(t, "../docs/golden-tests.md")
	help := program1(t, nil, "test", "--help-all").stdout
	for _, m := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(help, m[1]+" ") {
			t.Errorf("the page has %s, which confd test has not", m[1])
		}
	}
}

package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/internal/testenv"
)

// completed are the words that complete the last of args, with what the shell is told
// besides: "0" is files, "2" folders... as cobra counts.
func completed(t *testing.T, env map[string]string, args ...string) (words []string, directive string) {
	t.Helper()
	c := execute(t, env, append([]string{"__complete"}, args...)...)
	if c.code != exitGood {
		t.Fatalf("%q: %+v", args, c)
	}
	for line := range strings.Lines(c.stdout) {
		word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if d, last := strings.CutPrefix(word, ":"); last {
			return words, d
		}
		words = append(words, word)
	}
	t.Fatalf("%q: no end: %+v", args, c)
	return nil, ""
}

const exampleCluster = "testdata/examples/cluster.yaml"

func TestComplete(t *testing.T) {
	const noFile, noSpace, file, dirs = "4", "6", "0", "16"
	for line, want := range map[string]string{
		"expl":                                       "explain " + noFile,
		"explain fi":                                 "filter " + noFile,
		"--log-level=info di":                        "diff " + noFile,
		"help pl":                                    "plan " + noFile,
		"help explain fi":                            "filter " + noFile,
		"completion ":                                "bash zsh fish " + noFile,
		"render --dat":                               "--datastore --data " + noFile,
		"--noo":                                      "--noop " + noFile,
		"-noo":                                       "-noop " + noFile,
		"-onet":                                      "-onetime " + noFile,
		"render -data DATA -nod":                     "-node " + noFile,
		"render -o":                                  "-o " + noFile,
		"render -node=n":                             noFile,
		"--data DATA explain fi":                     "filter " + noFile,
		"explain --data DATA fi":                     "filter " + noFile,
		"explain --data DATA --node ":                "node-1 node-2 " + noFile,
		"explain --datastore f":                      "file " + noFile,
		"explain --use-pod":                          "--use-pod-cidr " + noFile,
		"explain -use-pod":                           "-use-pod-cidr " + noFile,
		"templates --da":                             noFile,
		"-data DATA explain filter ":                 "no-default " + noFile,
		"--log-level info templates ":                "export " + noFile,
		"render --data DATA --node ":                 "node-1 node-2 " + noFile,
		"render --data DATA --node=node-2":           "node-2 " + noFile,
		"render -data DATA -node node-":              "node-1 node-2 " + noFile,
		"render --data DATA --data DATA --node ":     "node-1 node-2 " + noFile,
		"render --data ":                             file,
		"render --bird-dir ":                         dirs,
		"render --etcd-ca-cert-file ":                file,
		"render --datastore ":                        "etcdv3 kubernetes file " + noFile,
		"--missing-filters c":                        "closed " + noFile,
		"--ready ":                                   "recovery sessions routes none " + noSpace,
		"--ready recovery,s":                         "recovery,sessions " + noSpace,
		"--pprof=":                                   "true false " + noFile,
		"--gather ":                                  noFile,
		"explain session --data DATA ":               "node-1 node-2 " + noFile,
		"explain session --data DATA node-1 ":        "node-2 172.18.0.9 " + noFile,
		"explain session --data DATA node-1 G":       "Global_172_18_0_9 " + noFile,
		"explain session --data DATA node-1 node-2 ": noFile,
		"explain node --data DATA ":                  "node-1 node-2 " + noFile,
		"explain node --data DATA node-1 ":           noFile,
		"explain route --data DATA --node node-1 --to ":          "172.18.0.9 node-2 " + noFile,
		"explain route --data DATA --node node-1 --from Mesh":    "Mesh_172_18_0_2 " + noFile,
		"explain route --data DATA 10":                           "10.244.0.0/26 10.244.1.0/26 10.244.0.0/22 " + noFile,
		"explain block --data DATA ":                             "10.244.0.0/26 10.244.1.0/26 " + noFile,
		"explain filter --data DATA ":                            "no-default " + noFile,
		"explain filter --data DATA no-default --route 10.244.1": "10.244.1.0/26 " + noFile,
		"explain pod --data DATA ":                               noFile,
		"plan --data DATA --delete BGPF":                         "BGPFilter/ " + noSpace,
		"plan --data DATA --delete Node/":                        "Node/node-1 Node/node-2 " + noSpace,
		"plan --fail-on session-loss,":                           "session-loss,session-remade session-loss,isolated-node session-loss,route-loss session-loss,held session-loss,new-error session-loss,new-warning " + noSpace,
		"plan -f ":                                               file,
		"doctor --ignore BGP085":                                 "BGP085 " + noSpace,
		"doctor -o ":                                             "text json yaml " + noFile,
		"diff --to ":                                             "live " + file,
		"status --filter sta":                                    "state= " + noSpace,
		"status --filter state=h":                                "state=hangs state=held " + noSpace,
		"status --sort s":                                        "state sessions " + noFile,
		"topology --data DATA --group-by ":                       "topology.kubernetes.io/zone " + noFile,
		"topology --format ":                                     "svg html dot mermaid json " + noFile,
		"test ":                                                  dirs,
		"render x ":                                              noFile,
		"explain session --data DATA --etcd-endpoints nonsense@x node-": "node-1 node-2 " + noFile,
		// Where the datastore cannot be read there is nothing, and no noise.
		"render --data /nowhere --node ":                        noFile,
		"render --datastore nonsense --node ":                   noFile,
		"explain session --etcd-endpoints http://127.0.0.1:1 n": noFile,
	} {
		words, directive := completed(t, map[string]string{"CONFD_CONFIG_FILE": os.DevNull}, strings.Split(strings.ReplaceAll(line, "DATA", exampleCluster), " ")...)
		if got := strings.Join(append(words, directive), " "); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

// TestCompleteFromStores: names come from etcd and from Kubernetes; from a server that
// says nothing there are none, and nobody waits for it.
func TestCompleteFromStores(t *testing.T) {
	nodes := append(testenv.NodeObjects(1), testenv.NodeObjects(2)...)
	names := testenv.NodeName(1) + " " + testenv.NodeName(2)
	etcd := testenv.StartEtcd(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(), Context: t.Context()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	for key, value := range testenv.EtcdKeys(nodes) {
		if _, err := client.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	check := func(want string, flags ...string) {
		t.Helper()
		words, directive := completed(t, map[string]string{"CONFD_CONFIG_FILE": os.DevNull}, append(append([]string{"render"}, flags...), "--node", "n")...)
		if got := strings.Join(words, " "); got != want || directive != "4" {
			t.Errorf("%q: got %q %s, want %q", flags, got, directive, want)
		}
	}
	check(names, "--etcd-endpoints", etcd.Endpoint())
	check("", "--etcd-endpoints", "http://"+silent.Addr().String())
	check("", "--datastore", "kubernetes", "--k8s-api-endpoint", "http://"+silent.Addr().String())

	k := testenv.StartKube(t)
	k.InstallCRDs(t, testenv.CalicoGroups()[0])
	k.Apply(t, []byte(kubeNodes))
	check("node-1 node-2", "--datastore", "kubernetes", "--kubeconfig", k.AdminKubeconfig(t))
}

const kubeNodes = `
{apiVersion: v1, kind: Node, metadata: {name: node-1, annotations: {projectcalico.org/IPv4Address: 10.0.0.1/24}}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-2, annotations: {projectcalico.org/IPv4Address: 10.0.0.2/24}}}
`

// TestCompleteIsHarmless: a name in the datastore that a shell would act on is never
// put into a command line.
func TestCompleteIsHarmless(t *testing.T) {
	path := write(t, "cluster.yaml", `{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1, labels: {"a$(reboot)": x, "b": x}}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: "node-$(reboot)"}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "x;reboot"}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "--kubeconfig=/tmp/x"}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "x!reboot"}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "=reboot"}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "good"}}
`)
	for _, args := range [][]string{{"render", "--data", path, "--node", ""}, {"explain", "filter", "--data", path, ""}, {"topology", "--data", path, "--group-by", ""}, {"plan", "--data", path, "--delete", "BGPFilter/"}} {
		words, _ := completed(t, nil, args...)
		for _, w := range words {
			if strings.ContainsAny(w, "$;()!") || strings.HasPrefix(w, "-") || strings.HasPrefix(w, "=") {
				t.Errorf("%q: %q", args, w)
			}
		}
	}
	if got := plainText("a $(b) `c` \x1b[31m\u202e d"); strings.ContainsAny(got, "$`\x1b[") {
		t.Errorf("%q", got)
	}
}

// TestCompleteKnowsEveryFlag: what stands behind each flag of each command is known.
func TestCompleteKnowsEveryFlag(t *testing.T) {
	own := ownSuggesters()
	commands := allCommands()
	program{}.setCompletions(commands[0])
	for _, c := range commands {
		delete(own, c.CommandPath())
		c.Flags().VisitAll(func(f *pflag.Flag) {
			_, known := c.GetFlagCompletionFunc(f.Name)
			delete(own, c.CommandPath()+" --"+f.Name)
			if !known && f.Value.Type() != "bool" {
				t.Errorf("%s --%s: nobody knows what it may be", c.CommandPath(), f.Name)
			}
		})
	}
	delete(own, "confd help")
	delete(own, "confd man")
	for key := range own {
		t.Errorf("%s is no flag, and no command", key)
	}
}

// TestCompleteOneDash: what is offered with one dash is understood with one.
func TestCompleteOneDash(t *testing.T) {
	commands := allCommands()
	for _, c := range commands {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if len(f.Name) > 1 && !slices.Equal(twoDashes(newTable(), []string{"-" + f.Name}), []string{"--" + f.Name}) {
				t.Errorf("%s -%s is not --%s", c.CommandPath(), f.Name, f.Name)
			}
		})
	}
}

// TestCompleteInShells asks real shells, as somebody does who presses the key.
func TestCompleteInShells(t *testing.T) {
	programs := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", programs, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	data, err := filepath.Abs(exampleCluster)
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "CONFD_DATA="+data, "CONFD_CONFIG_FILE="+os.DevNull, "HOME="+t.TempDir())
	for shell, script := range map[string]string{
		"bash": `. /usr/share/bash-completion/bash_completion && . <(confd completion bash) || exit 1
			COMP_LINE=$1 COMP_POINT=${#1}; read -ra COMP_WORDS <<<"$1"; [[ $1 == *' ' ]] && COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9; compopt() { :; }; __start_confd; printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `confd completion fish | source; complete -C "$argv[1]"`,
		"zsh": `zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z 'PS1=READY; autoload -U compinit; compinit -u -D; . <(confd completion zsh); zstyle ":completion:*" list-prompt ""; LISTMAX=1000; echo PREPARED'
			zpty -r z out '*PREPARED*PREPARED*READY*'; zpty -n -w z "$1"$'\t\t'; zpty -r z out '*node-2*' ; print -r -- $out`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err == nil && shell == "bash" {
				_, err = os.Stat("/usr/share/bash-completion/bash_completion")
			}
			if err != nil {
				t.Skipf("make shells installs what is missing here: %v", err)
			}
			for line, want := range map[string][]string{
				"confd explain session node-1 n": {"node-2"}, "confd explain node node-": {"node-1", "node-2"},
				"confd render --node ": {"node-1", "node-2"}, "confd render --node=node-2": {"node-2"},
				"confd render -node n": {"node-1", "node-2"},
			} {
				args := []string{"-c", script, "sh", line}
				if shell == "fish" {
					args = []string{"--no-config", "-c", script, line}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, path, args...)
				cmd.Env = env
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				for _, w := range want {
					if !strings.Contains(string(out), w) {
						t.Errorf("%s: %q lacks %s", line, out, w)
					}
				}
				if words := strings.Fields(string(out)); shell != "zsh" && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "cluster.yaml") }) {
					t.Errorf("%s: files are among %q", line, words)
				}
			}
		})
	}
}

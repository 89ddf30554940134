package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kubeconfigOf writes a kubeconfig whose current context is the first; each context's
// server has its name.
func kubeconfigOf(t *testing.T, contexts ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "{apiVersion: v1, kind: Config, current-context: %s, users: [{name: u, user: {token: t}}], clusters: [", contexts[0])
	for _, c := range contexts {
		fmt.Fprintf(&b, "{name: %s, cluster: {server: 'https://%s.example.org'}},", c, c)
	}
	b.WriteString("], contexts: [")
	for _, c := range contexts {
		fmt.Fprintf(&b, "{name: %s, context: {cluster: %s, user: u}},", c, c)
	}
	b.WriteString("]}")
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKubeconfigAsKubectlReadsIt: of several files the first that says something counts,
// and a context can be chosen.
func TestKubeconfigAsKubectlReadsIt(t *testing.T) {
	one, other := kubeconfigOf(t, "a", "b"), kubeconfigOf(t, "c")
	both, none := one+":"+other, filepath.Join(t.TempDir(), "none")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg    Config
		server string // or what is wrong
		origin string
	}{
		"current":         {Config{Kubeconfig: one}, "https://a.example.org", `that of context "a" of ` + one},
		"context":         {Config{Kubeconfig: one, Context: "b"}, "https://b.example.org", `that of context "b" of ` + one},
		"first of two":    {Config{Kubeconfig: both}, "https://a.example.org", `that of context "a" of ` + both},
		"second of two":   {Config{Kubeconfig: both, Context: "c"}, "https://c.example.org", `that of context "c" of ` + both},
		"one is missing":  {Config{Kubeconfig: none + ":" + other}, "https://c.example.org", `that of context "c" of ` + none + ":" + other},
		"no such context": {Config{Kubeconfig: one, Context: "z"}, one + `: context "z" does not exist`, `that of context "z" of ` + one},
		"no such file":    {Config{Kubeconfig: none}, "no such file", `that of context "" of ` + none},
		"no such files":   {Config{Kubeconfig: none + ":" + none}, "no such file", `that of context "" of ` + none + ":" + none},
		"nothing in it":   {Config{Kubeconfig: empty}, "KUBECONFIG: " + empty + ": names no API server", `that of context "" of ` + empty},
		"address":         {Config{Kubeconfig: one, APIEndpoint: "https://d"}, "https://d", "https://d, with the credentials of " + one},
		"address alone":   {Config{APIEndpoint: "https://d"}, "https://d", "https://d"},
		"pod":             {Config{}, "this is no pod", "the one of this pod's cluster"},
	} {
		t.Setenv("KUBERNETES_SERVICE_HOST", "")
		got := ""
		if rc, err := findConfig(c.cfg); err != nil {
			got = err.Error()
		} else {
			got = rc.Host
		}
		if !strings.Contains(got, c.server) {
			t.Errorf("%s: %s, want %s", name, got, c.server)
		}
		if got := c.cfg.Origin(); got != c.origin {
			t.Errorf("%s: %s, want %s", name, got, c.origin)
		}
	}
	if got := fmt.Sprint(Contexts(Config{Kubeconfig: both})); got != "[a b c]" {
		t.Error(got)
	}
	if got := Contexts(Config{Kubeconfig: none}); got != nil {
		t.Error(got)
	}
}

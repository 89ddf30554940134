package etc_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"confd/internal/settings"
	"confd/internal/testenv"
)

// TestValuesAreRefusedWithWords: what cannot be meant is refused, and what is printed
// says where it is and what is wrong.
func TestValuesAreRefusedWithWords(t *testing.T) {
	const unknown = "additional properties '%s' not allowed"
	refused := map[string]string{
		`settings: {gard: 30s}`:       "at '/settings': " + fmt.Sprintf(unknown, "gard"),
		`setings: {guard: 30s}`:       "at '': " + fmt.Sprintf(unknown, "setings"),
		`settings: {guard: 30}`:       "at '/settings/guard': got number, want string",
		`settings: {guard: 30 s}`:     "at '/settings/guard': '30 s' does not match pattern",
		`settings: {hold: "no"}`:      "at '/settings/hold': got string, want boolean",
		`settings: {listen: ":9191"}`: "at '/settings': " + fmt.Sprintf(unknown, "listen"),
		`bird: {version: 2}`:          "at '/bird/version': got number, want string",
		`bird: {version: "1.6.8"}`:    "at '/bird/version': '1.6.8' does not match pattern",
		`mode: both`:                  "at '/mode': value must be one of 'sidecar', 'one-container'",
		`datastore: {type: etcd}`:     "at '/datastore/type': value must be one of 'kubernetes', 'etcdv3'",
		`datastore: {type: etcdv3, etcd: {endpoints: ["https://root:secret@10.0.0.1:2379"]}}`: "at '/datastore/etcd/endpoints/0'",
		`listen: {port: 91910}`:                                         "at '/listen/port': maximum: got 91,910, want 65,535",
		`images: {confd: {digest: sha1:00}}`:                            "at '/images/confd/digest': 'sha1:00' does not match pattern",
		`tolerations: {operator: Exists}`:                               "at '/tolerations': got object, want array",
		`images: {confd: {repository: ""}}`:                             "images.confd.repository is not set: no image is published, name the one that you pushed",
		`datastore: {type: etcdv3}`:                                     "datastore.type is etcdv3, and datastore.etcd.endpoints is empty",
		`datastore: {etcd: {endpoints: ["https://10.0.0.1:2379"]}}`:     "datastore.type is not etcdv3",
		`podMonitor: {enabled: true}`:                                   "podMonitor.enabled is set, and listen.onNode is not",
		`listen: {ipv6: true}`:                                          "listen.ipv6 is set, and listen.onNode is not",
		`typha: {caConfigMap: tigera-ca-bundle}`:                        "typha.caConfigMap is set, and typha.tlsSecret is not",
		`serviceAccount: {create: false}`:                               "serviceAccount.create is false, and serviceAccount.name is empty",
		`typha: {tlsSecret: node-certs}`:                                "typha.tlsSecret is set, and typha.caConfigMap is not",
		`typha: {tlsSecret: node-certs, caConfigMap: tigera-ca-bundle}`: "neither typha.commonName nor typha.uriSAN",
	}
	helms(t, func(t *testing.T, h helm) {
		for values, words := range refused {
			if _, err := h.template(t, images, values); err == nil {
				t.Errorf("%s: it is taken", values)
			} else if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: it should say %q, and says: %v", values, words, err)
			}
		}
	})
}

// hostile ends what it stands in, wherever that is not quoted.
var hostile = []string{
	"x\n      privileged: true\n#", `x", hostPID: true, y: "`, "x', hostPID: true, y: '", "}} {{ fail \"run\" }}", "\n---\nkind: Secret\n---\n",
	"- a: b", "  - a: &b\n\t*b\n", "!!binary x", "# x", "| x", "yes", "0x10", "~", "\u2028\U0001f408 \\x \\n $x", "\\\"\n\"", ": ", "x:\r\n y: z\n\n\n",
}

// TestNoTextChangesWhatItStandsIn puts hostile text in the place of each text and of
// each key of the values, past the schema, and wants to have it back as a text in the
// same place.
func TestNoTextChangesWhatItStandsIn(t *testing.T) {
	helms(t, func(t *testing.T, h helm) {
		h.flags = []string{"--skip-schema-validation"}
		for _, file := range fullValues(t) {
			harmless := h.objects(t, replaced(t, file, "harmless"))
			for _, text := range hostile {
				same := func(s string) string { return strings.ReplaceAll(s, text, "harmless") }
				want, got := mapText(harmless, same, same), mapText(h.objects(t, replaced(t, file, text)), same, same)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s with %q:\n%s", file, text, diff)
				}
			}
			if _, err := h.template(t, replaced(t, file, "\x7f")); err == nil || !strings.Contains(err.Error(), "control character") {
				t.Errorf("%s with control characters: %v", file, err)
			}
		}
	})
}

// objects are what the chart makes of values, whatever the schema says to them.
func (h helm) objects(t *testing.T, values string) any {
	t.Helper()
	var objects []any
	for _, o := range testenv.Objects(t, h.rendered(t, values)) {
		objects = append(objects, o.Object)
	}
	if len(objects) < 3 {
		t.Fatalf("%d objects of:\n%s", len(objects), values)
	}
	return objects
}

// replaced are the values of a file with text at the end of each text and of each key
// that is the user's, but for what decides what there is.
func replaced(t *testing.T, file, text string) string {
	t.Helper()
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(in, &values); err != nil {
		t.Fatal(err)
	}
	mode, store := values["mode"], values["datastore"]
	change, keep := func(s string) string { return s + text }, func(s string) string { return s }
	for name, v := range values {
		key := keep
		if slices.Contains([]string{"settings", "podLabels", "podAnnotations", "nodeSelector"}, name) {
			key = change
		}
		values[name] = mapText(v, change, key)
	}
	values["mode"] = mode
	if store != nil {
		values["datastore"].(map[string]any)["type"] = store.(map[string]any)["type"]
	}
	out, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	// As it is, YAML takes part of it as the end of a line.
	return regexp.MustCompile(`[^\x00-\x7e]`).ReplaceAllStringFunc(string(out), func(s string) string { return fmt.Sprintf(`\U%08x`, []rune(s)[0]) })
}

// mapText is v with each text and each key in it changed.
func mapText(v any, text, key func(string) string) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mapText(v[i], text, key)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[key(k)] = mapText(v[k], text, key)
		}
		return out
	}
	return v
}

// notForValues are settings of the program that the chart makes itself, or that make no
// sense in a pod.
var notForValues = []string{
	"node", "k8s-node-ref", "datastore", "data", "config-file", "calicoconfig", "namespace",
	"etcd-endpoints", "etcd-username", "etcd-password", "etcd-key-file", "etcd-cert-file", "etcd-ca-cert-file",
	"kubeconfig", "k8s-api-endpoint", "k8s-key-file", "k8s-cert-file", "k8s-ca-file",
	"typha-service", "typha-namespace", "typha-key-file", "typha-cert-file", "typha-ca-file", "typha-cn", "typha-uri-san",
	"endpoint-status-prefix", "bird", "bird-binary", "socket", "socket6", "bird-dir", "exec",
	"file-mode", "owner", "group", "keep-stage-file", "sync-only", "strict", "onetime", "noop", "interval", "sync-timeout",
	"listen", "listen-cert-file", "listen-key-file", "listen-ca-file", "node-events", "calico-sockets",
}

// TestTheSchemaKnowsTheSettings: what may stand below settings is what the program has
// flags for. With -update the schema is written anew.
func TestTheSchemaKnowsTheSettings(t *testing.T) {
	file := filepath.Join(chart, "values.schema.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	schema["properties"].(map[string]any)["settings"].(map[string]any)["properties"] = settingsSchema(t)
	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		write(t, file, string(want))
		return
	}
	if string(want) != string(text) {
		t.Errorf("%s is not what the program's settings say: go test ./etc -run TheSchemaKnowsTheSettings -update writes it", file)
	}
}

func settingsSchema(t *testing.T) map[string]any {
	t.Helper()
	table, schema := settings.Table(), map[string]any{}
	for _, name := range notForValues {
		if !slices.ContainsFunc(table, func(s settings.Setting) bool { return s.Name == name }) {
			t.Errorf("there is no setting %s", name)
		}
	}
	types := map[settings.Kind]map[string]any{
		settings.KindText: {"type": "string"}, settings.KindFile: {"type": "string"}, settings.KindFolder: {"type": "string"}, settings.KindPath: {"type": "string"},
		settings.KindBool: {"type": "boolean"}, settings.KindInt: {"type": "integer"}, settings.KindNumber: {"type": "number"},
		settings.KindDuration: {"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$|^auto$`},
		settings.KindList:     {"type": "array", "items": map[string]any{"type": "string", "pattern": `^[^,]+$`}},
	}
	for _, s := range table {
		if !s.HasFlag(settings.CommandRun) || s.NoFlag || slices.Contains(notForValues, s.Name) {
			continue
		}
		kind, ok := types[s.Kind()]
		if !ok {
			t.Fatalf("no schema for --%s, which is a %s", s.Name, s.Kind())
		}
		kind = maps.Clone(kind)
		kind["description"] = s.Help
		schema[s.Name] = kind
	}
	return schema
}

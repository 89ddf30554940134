package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/internal/birds"
)

// around returns surroundings with the given variables, on the host "Host-1".
func around(env map[string]string) Surroundings {
	return Surroundings{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Hostname:  func() (string, error) { return "Host-1", nil },
	}
}

// write puts content into a new file of that name, and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads settings from a TOML file of that content, variables and flags.
func load(t *testing.T, file string, env map[string]string, flags Layer) (Settings, error) {
	t.Helper()
	all := Merged(Layer{"config-file": {write(t, "confd.toml", file), "--config-file"}}, flags)
	return Load(all, around(env))
}

func flag1(name, text string) Layer { return Layer{name: {text, "--" + name}} }

func TestSettingsDefaults(t *testing.T) {
	s, err := Load(Layer{}, around(map[string]string{"ETCD_ENDPOINTS": "http://a:2379, http://b:2379", "CALICO_ROUTER_ID": ""}))
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Node: "host-1", NodeRef: "host-1", Datastore: DatastoreEtcd, ConfigFile: "/etc/confd/confd.toml",
		Etcd:       Etcd{Endpoints: []string{"http://a:2379", "http://b:2379"}},
		Kubernetes: Kubernetes{Namespace: "kube-system"},
		Typha:      Typha{Namespace: "kube-system", ReadTimeout: 30 * time.Second, WriteTimeout: 10 * time.Second},
		BGP:        BGP{MissingFilters: MissingFiltersOpen, RestartWait: time.Minute, EndpointStatusPrefix: "/var/run/calico"},
		BIRD:       birds.Settings{Version: "auto"},
		Templates:  Templates{ConfDir: "/etc/confd", Prefix: "/calico", Mode: 0o640, Owner: -1, Group: -1},
		Timing: Timing{
			Interval: 600, Gather: 50 * time.Millisecond, MinInterval: time.Second,
			CheckTimeout: 30 * time.Second, ReloadTimeout: 30 * time.Second, SyncTimeout: 30 * time.Second, Verify: 5 * time.Second,
		},
		Safety: Safety{Hold: true, Outcome: 4*time.Minute + 5*time.Second, Splay: Auto},
		Watch:  Watch{Ready: []Readiness{ReadyRecovery}, Routes: 10 * time.Second},
		Log:    Log{Level: slog.LevelInfo, Format: "text"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsPrecedence(t *testing.T) {
	file := "gather = \"1ms\"\nmin-interval = \"1ms\"\ncheck-timeout = \"1ms\"\ndata = [\"/a\", \"/b\"]\nonetime = true\ninterval = 5\nfile-mode = \"0600\"\nowner = \"root\"\n"
	env := map[string]string{"CONFD_MIN_INTERVAL": "2ms", "CONFD_CHECK_TIMEOUT": "2ms", "CONFD_GATHER": ""}
	s, err := load(t, file, env, flag1("check-timeout", "3ms"))
	if err != nil {
		t.Fatal(err)
	}
	want := Timing{
		Interval: 5, Gather: time.Millisecond, MinInterval: 2 * time.Millisecond, CheckTimeout: 3 * time.Millisecond,
		ReloadTimeout: 30 * time.Second, SyncTimeout: 30 * time.Second, Verify: 5 * time.Second,
	}
	if s.Timing != want {
		t.Errorf("timing: got %+v, want %+v", s.Timing, want)
	}
	if !reflect.DeepEqual(s.Data, []string{"/a", "/b"}) || s.Datastore != DatastoreFile {
		t.Errorf("data %q, datastore %s", s.Data, s.Datastore)
	}
	if !s.OneTime || s.Templates.Mode != 0o600 || s.Templates.Owner != 0 {
		t.Errorf("onetime %v, mode %o, owner %d", s.OneTime, s.Templates.Mode, s.Templates.Owner)
	}
}

// Every setting reaches a field of its own, from its flag, variable and key.
// TestFilesByFlag reads files on a node whose variables and file name another datastore.
func TestFilesByFlag(t *testing.T) {
	s, err := load(t, "datastore = \"kubernetes\"\n", map[string]string{"DATASTORE_TYPE": "etcdv3", "ETCD_ENDPOINTS": "http://a:2379"}, flag1("data", "/x"))
	if err != nil || s.Datastore != DatastoreFile {
		t.Errorf("%q, %v", s.Datastore, err)
	}
}

func TestSettingsTable(t *testing.T) {
	samples := map[string]string{
		"datastore": "kubernetes", "missing-filters": "closed", "router-id": "hash", "bird": "2.17.6", "advertise-cluster-ips": "10.96.0.0/12",
		"owner": "7", "group": "7", "log-level": "error", "log-format": "json", "file-mode": "0600", "ready": "sessions",
	}
	byKind := map[Kind]string{KindText: "x", KindSecret: "x", KindBool: "true", KindInt: "7", KindNumber: "7", KindDuration: "7s", KindList: "x", KindLines: "x", KindFile: "x", KindFolder: "x", KindPath: "x"}
	seen, names := map[string]string{}, map[string]bool{}
	for _, row := range Table() {
		sample := samples[row.Name]
		if sample == "" {
			sample = byKind[row.Kind()]
		}
		var s Settings
		if !row.bind(&s).set(sample) {
			t.Errorf("%s refuses %q", row.Name, sample)
		}
		if row.Default != "" && !row.bind(&Settings{}).set(row.Default) {
			t.Errorf("%s refuses its default", row.Name)
		}
		for _, word := range row.Words() {
			if !row.bind(&Settings{}).set(word) {
				t.Errorf("%s refuses %q, which is one of its words", row.Name, word)
			}
		}
		labels := []string{"--" + row.Name, "--" + row.Alias, "field " + row.Field}
		for _, variable := range row.Envs() {
			labels = append(labels, "variable "+variable)
		}
		for _, name := range labels {
			empty := name == "--" || strings.HasSuffix(name, " ")
			if !empty && names[name] {
				t.Errorf("%s is there twice", name)
			}
			names[name] = true
		}
		key := fmt.Sprintf("%#v", s)
		if row.Kind() != KindSecret && key == fmt.Sprintf("%#v", Settings{}) {
			t.Errorf("%s sets nothing", row.Name)
		}
		if seen[key] != "" {
			t.Errorf("%s and %s set the same field", row.Name, seen[key])
		}
		seen[key] = row.Name
	}
}

func TestSettingsErrors(t *testing.T) {
	etcd := map[string]string{"ETCD_ENDPOINTS": "http://a:2379"}
	with := func(name, value string) map[string]string {
		return map[string]string{"ETCD_ENDPOINTS": "http://a:2379", name: value}
	}
	for name, c := range map[string]struct {
		file  string
		env   map[string]string
		flags Layer
		want  string
	}{
		"flag":            {env: etcd, flags: flag1("gather", "5"), want: `--gather: "5": expected a duration`},
		"variable":        {env: with("CONFD_BIRD", "4"), want: `variable CONFD_BIRD: "4": expected auto, 1, 2, 3,`},
		"file":            {env: etcd, file: "\nnode = \"n\"\n gather = \"-1s\"\n", want: `confd.toml:3: gather: "-1s": expected a duration`},
		"limit of 0":      {env: with("CONFD_SYNC_TIMEOUT", "0s"), want: `more than 0`},
		"unknown key":     {env: etcd, file: "# x\nnoed = \"n\"\n", want: "confd.toml:2: noed: unknown key"},
		"mistyped key":    {env: etcd, file: "etcd-endpoint = \"n\"\n", want: "confd.toml:1: etcd-endpoint: unknown key; did you mean etcd-endpoints?"},
		"case twins":      {env: etcd, file: "node = \"a\"\nNODE = \"b\"\n", want: "confd.toml:2: not valid TOML: "},
		"unknown table":   {env: etcd, file: "\n[etcd]\nendpoints = \"n\"\n", want: "confd.toml:2: etcd: unknown key"},
		"dotted key":      {env: etcd, file: "etcd.endpoints = \"n\"\n", want: "confd.toml:1: etcd: unknown key"},
		"flag only":       {env: etcd, file: "config-file = \"n\"\n", want: "confd.toml:1: config-file: unknown key"},
		"wrong type":      {env: etcd, file: "[node]\na = 1\n", want: "confd.toml:1: node: expected text"},
		"decimal mode":    {env: etcd, file: "file-mode = 0o640\n", want: "confd.toml:1: file-mode: expected octal digits in quotes"},
		"syntax":          {env: etcd, file: "\nnode = n\n", want: "confd.toml:2: not valid TOML"},
		"no file":         {env: etcd, flags: flag1("config-file", "/nowhere/confd.toml"), want: "--config-file: configuration file: open /nowhere/confd.toml"},
		"router ID":       {env: with("CALICO_ROUTER_ID", "1.2.3"), want: `variable CALICO_ROUTER_ID: "1.2.3": expected an IPv4 address`},
		"CIDR":            {env: with("CALICO_ADVERTISE_CLUSTER_IPS", "10.0.0.0/8,10.1.1.1"), want: "expected a list of CIDRs"},
		"number of none":  {env: with("CONFD_OWNER", "99999999999"), want: "name of a user"},
		"no group":        {env: with("CONFD_GROUP", "4294967295"), want: "name of a group"},
		"no mode":         {env: with("CONFD_FILE_MODE", "0"), want: "expected permission bits"},
		"user":            {env: with("CONFD_OWNER", "no such user"), want: "name of a user"},
		"node":            {env: with("NODENAME", "a/b\nc"), want: `variable NODENAME: "a/b\nc": expected a node's name`},
		"no etcd":         {want: "datastore etcdv3 needs --etcd-endpoints (ETCD_ENDPOINTS)"},
		"two etcds":       {env: with("ETCD_DISCOVERY_SRV", "x.org"), want: "variable ETCD_ENDPOINTS and variable ETCD_DISCOVERY_SRV are both given"},
		"half a key pair": {env: with("ETCD_CERT_FILE", "/x"), want: "variable ETCD_CERT_FILE is given without a key"},
		"file, no data":   {flags: flag1("datastore", "file"), want: "--datastore: datastore file needs --data"},
		"two stores":      {env: map[string]string{"DATASTORE_TYPE": "kubernetes", "CONFD_DATA": "/x"}, want: "variable CONFD_DATA names files, but variable DATASTORE_TYPE says kubernetes"},
		"two in flags":    {flags: Merged(flag1("data", "/x"), flag1("datastore", "kubernetes")), want: "--data names files, but --datastore says kubernetes"},
		"datastore":       {env: with("DATASTORE_TYPE", "consul"), want: `"consul": expected one of etcdv3, kubernetes, file`},
		"nearly right":    {env: with("DATASTORE_TYPE", "kubernets"), want: `"kubernets": expected one of etcdv3, kubernetes, file; did you mean kubernetes?`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.file, c.env, c.flags)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") || !errors.As(err, new(Error)) {
				t.Errorf("not one line, or not an Error: %v", err)
			}
		})
	}
}

func TestSettingsHostnameError(t *testing.T) {
	a := around(nil)
	a.Hostname = func() (string, error) { return "", errors.New("no host") }
	if _, err := Load(flag1("data", "/x"), a); err == nil || !strings.Contains(err.Error(), "NODENAME") {
		t.Errorf("got %v", err)
	}
}

func TestSettingsKeepSecrets(t *testing.T) {
	const secret = "hunter2"
	s, err := load(t, "", map[string]string{"ETCD_ENDPOINTS": "http://a", "ETCD_USERNAME": "u", "ETCD_PASSWORD": secret}, nil)
	if err != nil || string(s.Etcd.Password) != secret {
		t.Fatal(s.Etcd, err)
	}
	inJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("settings", "settings", s, "password", s.Etcd.Password)
	for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s, s), string(inJSON), log.String()} {
		if strings.Contains(shown, secret) {
			t.Errorf("shows the password: %s", shown)
		}
	}
	for _, file := range []string{
		"etcd-password = hunter2\n", "etcd-password = \"hunter2\n", "etcd-password = \"hunter2\"hunter2\n",
		"etcd-password = \"\\hunter2\"\n", "etcd-password = \"hunter2\"\n", "[etcd-password]\nhunter2 = 1\n",
		"etcd-password = 1hunter2\n", "etcd-password = @hunter2", "node = \"n\"\netcd-password=\"\"\"hunter2", "etcd-pasword = 'hunter2'\n",
	} {
		_, err := load(t, file, map[string]string{"ETCD_ENDPOINTS": "http://a"}, nil)
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "'h'") || strings.Contains(err.Error(), "@") {
			t.Errorf("%q: %v", file, err)
		}
		if err != nil && !strings.Contains(err.Error(), "confd.toml:1:") && !strings.Contains(err.Error(), "confd.toml:2:") {
			t.Errorf("%q: does not say where: %v", file, err)
		}
	}
}

func TestSettingsValues(t *testing.T) {
	env := map[string]string{
		"DATASTORE_TYPE": "etcd", "ETCD_DISCOVERY_SRV": "x.org", "CALICO_ADVERTISE_CLUSTER_IPS": "10.96.1.0/12, fd00::/108",
		"K8S_CLIENT_QPS": "7.5", "CONFD_FILE_MODE": "600", "NODENAME": "Node.One", "CONFD_LOG_LEVEL": "WARN", "CONFD_GROUP": "12",
	}
	s, err := load(t, "", env, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00::/108")}
	if diff := cmp.Diff(want, s.BGP.ClusterIPs, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	got := fmt.Sprint(s.Datastore, s.Kubernetes.QPS, s.Templates.Mode, s.Node, s.Log.Level, s.Templates.Group)
	if got != fmt.Sprint(DatastoreEtcd, float32(7.5), os.FileMode(0o600), "Node.One", slog.LevelWarn, 12) {
		t.Error(got)
	}
}

func TestDatastoreAddresses(t *testing.T) {
	s := Settings{
		Etcd:       Etcd{Endpoints: []string{"https://10.0.0.1:2379", "http://[fd00::1]:2379", "https://etcd.example:2379", "10.0.0.2:2379"}},
		Kubernetes: Kubernetes{APIEndpoint: "https://10.0.0.3:6443"},
	}
	var got []string
	for _, a := range s.Plan().BGP.Datastore {
		got = append(got, a.String())
	}
	if want := []string{"10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What guards sessions reaches whoever computes them.
func TestPlanCloses(t *testing.T) {
	for text, want := range map[string]bool{"open": false, "closed": true} {
		var s Settings
		for _, row := range Table() {
			if row.Name == "missing-filters" && !row.bind(&s).set(text) {
				t.Errorf("%s is refused", text)
			}
			if row.Name == "use-pod-cidr" && !row.bind(&s).set("true") {
				t.Error("true is refused")
			}
		}
		if got := s.Plan().BGP; got.CloseMissingFilters != want || !got.UsePodCIDR {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestSocketsForCalicosToolsAreNotBIRDsOwn(t *testing.T) {
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string // of the error; empty: none
	}{
		"apart":                   {map[string]string{"CONFD_SOCKET": "/run/bird/bird.ctl"}, ""},
		"not told":                {nil, "needs --socket"},
		"the same":                {map[string]string{"CONFD_SOCKET": "/var/run//calico/bird.ctl"}, "would be in the place of BIRD's"},
		"the same for v6":         {map[string]string{"CONFD_SOCKET": "/var/run/calico/bird6.ctl"}, "would be in the place of BIRD's"},
		"the same by another way": {map[string]string{"CONFD_SOCKET": filepath.Join(link, "bird.ctl"), "CONFD_CALICO_SOCKETS": folder}, "would be in the place of BIRD's"},
		"BIRD 1.6":                {map[string]string{"CONFD_SOCKET": "/run/bird/bird.ctl", "CONFD_BIRD": "1.6.8"}, "is for BIRD 2 and 3"},
		"another in there":        {map[string]string{"CONFD_SOCKET": "/var/run/calico/real.ctl"}, ""},
	} {
		env := map[string]string{"ETCD_ENDPOINTS": "http://a:2379", "CONFD_CALICO_SOCKETS": "/var/run/calico/"}
		maps.Copy(env, c.env)
		_, err := load(t, "", env, nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	for text, want := range map[string][]Readiness{
		"none": nil, "": nil, "Recovery, routes": {ReadyRecovery, ReadyRoutes}, "sessions": {ReadySessions},
	} {
		var got []Readiness
		if !readiness(&got).set(text) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if readiness(new([]Readiness)).set("route") {
		t.Error("route is taken")
	}
}

func TestRestartWait(t *testing.T) {
	for text, want := range map[string]bool{"60s": true, "0s": true, "1h": true, "1500ms": false, "-1s": false, "2h": false, "x": false} {
		if got := restartWait(new(time.Duration)).set(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestAPictureNeedsAPlace(t *testing.T) {
	_, err := load(t, "", map[string]string{"ETCD_ENDPOINTS": "http://a:2379", "CONFD_TOPOLOGY": "true"}, nil)
	if err == nil || !strings.Contains(err.Error(), "CONFD_TOPOLOGY needs --listen") {
		t.Errorf("--topology without --listen: %v", err)
	}
}

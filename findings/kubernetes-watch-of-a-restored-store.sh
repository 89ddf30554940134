#!/bin/bash
# An informer of client-go v0.37.2, whose API server comes back with an etcd that was restored from a backup, goes on from the revision that it knows, and which the
# store has yet to reach. The server (k8s.io/apiserver v0.37.2) takes such a watch without a word, and passes over everything until then. So what the restore
# has taken away stays until the program is restarted, what it brought back and what is made meanwhile never comes, and what is made after the store has come that far comes as if
# nothing had happened; HasSynced is true. A list that asks for the same revision is refused: "Too large resource version".
# So it is where the informer meets refused connections, and then a server that is ready, as behind a load balancer. Any other error on its way back (404 or 503
# from a server that is starting) has it list anew, and all is well: the same restore harms one informer and not the next.
# (etcdutl snapshot restore --bump-revision --mark-compacted avoids it. Who copies a folder or a disk back has no such thing.)
# Guess before: the watch is refused as too new or as expired, and the informer lists again.
# Seen: the store was at 26, and is at 6 with "first" and "third". The informer has the 20 objects that are gone and, at 46, of the 42 that there are 10.
set -u
dir=$(mktemp -d)
export dir
trap 'rm -rf "$dir"' EXIT
differs() { echo "changed: $*"; exit 1; }

mkdir "$dir/program"
cd "$dir/program" || exit 2
printf 'module restored\n\ngo 1.26.0\n' >go.mod
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
)

const store, api, balancer = "http://127.0.0.1:12379", "127.0.0.1:16443", "127.0.0.1:16444"

var (
	ctx    = context.Background()
	kind   = schema.GroupVersionResource{Group: "example.org", Version: "v1", Resource: "peers"}
	config = &rest.Config{Host: "https://" + api, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	peers  = dynamic.NewForConfigOrDie(config).Resource(kind)
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(2)
	}
	return v
}

func await(what string, cond func() bool) {
	for range 1200 {
		if cond() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	fmt.Println("changed: in a minute not", what)
	os.Exit(1)
}

// serve is the API server for custom resources, as kube-apiserver has it, without its
// guards.
func serve(dir string) {
	o := options.NewCustomResourceDefinitionsServerOptions(io.Discard, io.Discard)
	r := o.RecommendedOptions
	r.Authentication, r.Authorization, r.Admission, r.Features.EnablePriorityAndFairness = nil, nil, nil, false
	r.CoreAPI.CoreAPIKubeconfigPath = filepath.Join(dir, "kubeconfig")
	r.Etcd.StorageConfig.Transport.ServerList = []string{store}
	r.SecureServing.BindAddress, r.SecureServing.BindPort = net.IPv4(127, 0, 0, 1), 16443
	r.SecureServing.ServerCert.CertDirectory = filepath.Join(dir, "certificates")
	must(0, o.Complete())
	s := must(must(o.Config()).Complete().New(server.NewEmptyDelegate()))
	must(0, s.GenericAPIServer.PrepareRun().RunWithContext(ctx))
}

// servers are etcd and an API server.
type servers struct {
	etcd *embed.Etcd
	api  *exec.Cmd
}

func start(dir string) servers {
	c := embed.NewConfig()
	c.Dir, c.LogLevel = filepath.Join(dir, "data"), "fatal"
	c.ListenClientUrls = []url.URL{*must(url.Parse(store))}
	c.ListenPeerUrls = []url.URL{*must(url.Parse("http://127.0.0.1:12380"))}
	c.AdvertiseClientUrls, c.AdvertisePeerUrls = c.ListenClientUrls, c.ListenPeerUrls
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	e := must(embed.StartEtcd(c))
	<-e.Server.ReadyNotify()
	a := exec.Command(os.Args[0], dir, "serve")
	a.Stderr = os.Stderr
	must(0, a.Start())
	crds := must(clientset.NewForConfig(config)).ApiextensionsV1().CustomResourceDefinitions()
	await("an API server", func() bool { _, err := crds.List(ctx, meta.ListOptions{}); return err == nil })
	return servers{e, a}
}

func (s servers) kill() {
	s.api.Process.Kill()
	s.api.Wait()
	s.etcd.Close()
}

// balance passes connections on, until stop is called.
func balance() (stop func()) {
	on := must(net.Listen("tcp", balancer))
	var conns []net.Conn
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for {
			near, err := on.Accept()
			if err != nil {
				return
			}
			far := must(net.Dial("tcp", api))
			conns = append(conns, near, far)
			go io.Copy(near, far)
			go io.Copy(far, near)
		}
	}()
	return func() {
		on.Close()
		<-ended
		for _, c := range conns {
			c.Close()
		}
	}
}

func define() {
	any := true
	must(must(clientset.NewForConfig(config)).ApiextensionsV1().CustomResourceDefinitions().Create(ctx, &apiextensions.CustomResourceDefinition{
		ObjectMeta: meta.ObjectMeta{Name: "peers.example.org"},
		Spec: apiextensions.CustomResourceDefinitionSpec{
			Group: kind.Group, Scope: apiextensions.ClusterScoped, Names: apiextensions.CustomResourceDefinitionNames{Plural: "peers", Singular: "peer", Kind: "Peer", ListKind: "PeerList"},
			Versions: []apiextensions.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true,
				Schema: &apiextensions.CustomResourceValidation{OpenAPIV3Schema: &apiextensions.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &any}}}},
		},
	}, meta.CreateOptions{}))
}

func create(name string) {
	await("a Peer", func() bool {
		_, err := peers.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "example.org/v1", "kind": "Peer", "metadata": map[string]any{"name": name}}}, meta.CreateOptions{})
		return err == nil
	})
}

func several(name string, n int) {
	for i := range n {
		create(fmt.Sprintf("%s-%02d", name, i))
	}
}

// say prints how many there are of each name before the dash.
func say(of string, names []string) {
	count := map[string]int{}
	for _, n := range names {
		n, _, _ = strings.Cut(n, "-")
		count[n]++
	}
	fmt.Println(of, strings.Trim(fmt.Sprint(count), "map[]"))
}

func main() {
	dir := os.Args[1]
	if len(os.Args) > 2 {
		serve(dir)
		return
	}
	data, backup := filepath.Join(dir, "data"), filepath.Join(dir, "backup")
	s := start(dir)
	define()
	create("first")
	s.kill()
	must(0, os.CopyFS(backup, os.DirFS(data)))
	s = start(dir)

	stop := balance()
	behind := rest.CopyConfig(config)
	behind.Host = "https://" + balancer
	factory := dynamicinformer.NewDynamicSharedInformerFactory(dynamic.NewForConfigOrDie(behind), 0)
	informer := factory.ForResource(kind)
	lister := informer.Lister()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	known := func() (names []string) {
		for _, o := range must(lister.List(labels.Everything())) {
			names = append(names, o.(*unstructured.Unstructured).GetName())
		}
		return names
	}
	there := func() (names []string) {
		for _, o := range must(peers.List(ctx, meta.ListOptions{})).Items {
			names = append(names, o.GetName())
		}
		return names
	}
	several("second", 20)
	must(0, peers.Delete(ctx, "first", meta.DeleteOptions{}))
	await("the 20 known", func() bool { return len(known()) == 20 && !slices.Contains(known(), "first") })
	revision := must(peers.List(ctx, meta.ListOptions{})).GetResourceVersion()

	stop()
	s.kill()
	must(0, os.RemoveAll(data))
	must(0, os.Rename(backup, data))
	s = start(dir)
	defer s.kill()
	create("third")
	stop = balance() // now that it is ready
	defer stop()
	_, err := peers.List(ctx, meta.ListOptions{ResourceVersion: revision, ResourceVersionMatch: meta.ResourceVersionMatchNotOlderThan})
	fmt.Fprintln(os.Stderr, "a list from", revision+":", err)
	refused := err != nil && strings.Contains(err.Error(), "Too large resource version")
	time.Sleep(20 * time.Second)
	say("restored:", there())
	say("informer:", known())
	several("fourth", 40)
	await("the last one", func() bool { return slices.Contains(known(), "fourth-39") })
	say("restored, later:", there())
	say("informer, later:", slices.DeleteFunc(known(), func(n string) bool { return strings.HasPrefix(n, "fourth") }))
	fmt.Println("the first of the fourth:", slices.Contains(known(), "fourth-00"))
	fmt.Println("in sync:", informer.Informer().HasSynced(), "a list from there is refused:", refused)
}
END
export GOFLAGS=-mod=mod
{ go get k8s.io/apiextensions-apiserver@v0.37.2 k8s.io/client-go@v0.37.2 go.etcd.io/etcd/server/v3@v3.7.3 && go mod tidy && go build -o ../restored .; } >"$dir/log" 2>&1 || { echo "cannot fetch the modules"; exit 2; }
printf 'apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: "https://127.0.0.1:16443", insecure-skip-tls-verify: true}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n' >"$dir/kubeconfig"
unshare -rn bash -c 'ip link set lo up; exec "$dir/restored" "$dir" 2>"$dir/log"' | tee "$dir/seen"
grep '^a list from' "$dir/log"
diff "$dir/seen" - <<'END' || differs "see above"
restored: first:1 third:1
informer: second:20
restored, later: first:1 fourth:40 third:1
informer, later: second:20
the first of the fourth: false
in sync: true a list from there is refused: true
END

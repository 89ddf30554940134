#!/bin/bash
# etcd's gRPC proxy (etcd grpc-proxy, v3.7.3; 3.4.23, 3.5.21 and 3.6.0 are alike) answers two clients with the same watch in two ways. The first is told who speaks,
# and where the store is; one that joins it is told of cluster 0 and member 0, and as the store's revision the number from which it has itself asked to watch,
# be that one which the store has yet to reach. And a request for progress (Client.RequestProgress of go.etcd.io/etcd/client/v3 v3.7.3) is accepted without
# an error and never answered: the proxy's own log has "not supported request type". A client that makes sure which cluster it watches, or that its
# watch is alive, works against etcd and against a proxy that it has for itself, and fails where a second one comes.
# Guess before: the header is the same for both, and progress is passed on, or refused.
# Seen: etcd, at revision 2: "cluster named, revision 2; again: cluster named, revision 2; progress true"; its proxy, at 3: "cluster named, revision 3; again:
# cluster 0, revision 1000; no progress".
set -u
dir=$(mktemp -d)
export dir
trap 'rm -rf "$dir"' EXIT
differs() { echo "changed: $*"; exit 1; }

mkdir "$dir/program"
cd "$dir/program" || exit 2
printf 'module joins\n\ngo 1.26.0\n\ntool go.etcd.io/etcd/server/v3\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(2)
	}
	return v
}

// watch watches one key from a revision, and says what the first answer is headed by.
func watch(ctx context.Context, c *clientv3.Client, from int64) (clientv3.WatchChan, string) {
	w := c.Watch(ctx, "key", clientv3.WithRev(from), clientv3.WithCreatedNotify())
	h := (<-w).Header
	cluster := "named"
	if h.ClusterId == 0 && h.MemberId == 0 {
		cluster = "0"
	}
	return w, fmt.Sprintf("cluster %s, revision %d", cluster, h.Revision)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := func() *clientv3.Client {
		return must(clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, Logger: zap.NewNop()}))
	}
	a, b, c := client(), client(), client()
	must(a.Put(ctx, "other", ""))
	_, first := watch(ctx, a, 1000)
	time.Sleep(time.Second) // the proxy has noted the first
	_, second := watch(ctx, b, 1000)
	fmt.Print(first, "; again: ", second)
	w, _ := watch(ctx, c, 0)
	must(0, c.RequestProgress(ctx))
	select {
	case r := <-w:
		fmt.Println("; progress", r.IsProgressNotify())
	case <-time.After(10 * time.Second):
		fmt.Println("; no progress")
	}
}
GO
export GOFLAGS=-mod=mod
{ go get go.etcd.io/etcd/client/v3@v3.7.3 go.etcd.io/etcd/server/v3@v3.7.3 && go mod tidy && go build -o ../joins . && go build -o ../etcd go.etcd.io/etcd/server/v3; } >"$dir/log" 2>&1 || { echo "cannot fetch etcd"; exit 2; }
try() {
  ip link set lo up
  "$dir/etcd" --data-dir "$dir/data" --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 --initial-cluster default=http://127.0.0.1:12380 >"$dir/log" 2>&1 & etcd=$!
  "$dir/etcd" grpc-proxy start --endpoints=127.0.0.1:12379 --listen-addr=127.0.0.1:12390 >"$dir/log.proxy" 2>&1 & proxy=$!
  for port in 12379 12390; do
    for _ in $(seq 60); do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.5; done
  done
  echo "etcd: $("$dir/joins" 127.0.0.1:12379)"
  echo "proxy: $("$dir/joins" 127.0.0.1:12390)"
  kill $etcd $proxy
  wait $etcd $proxy
}
export -f try
unshare -rn bash -c try | tee "$dir/seen"
grep -qx 'etcd: cluster named, revision 2; again: cluster named, revision 2; progress true' "$dir/seen" || differs etcd
grep -qx 'proxy: cluster named, revision 3; again: cluster 0, revision 1000; no progress' "$dir/seen" || differs the proxy

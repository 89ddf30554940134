#!/bin/bash
# A client that watches etcd 3.4.23 (etcd-server of bookworm), and is cut off from it while a key is deleted and the store is compacted to just that revision,
# never learns of the deletion: the client takes its watch up where it was, the server has that revision and does not say "compacted", and the deletion itself
# is gone. Later changes come as if nothing were missing. In a quiet cluster a deletion is often the last change before a compaction, which then is to its
# revision (--auto-compaction-retention, the compaction every 5 minutes of kube-apiserver). etcd 3.5.16 (trixie) keeps the deletion through that compaction.
# The client is go.etcd.io/etcd/client/v3 v3.7.3 with both. Who lists again after an outage is safe, and so is who watches from the last revision that it
# knows, instead of the next one: that is refused as compacted.
# Guess before: the deletion comes, or the watch ends with "compacted".
# Seen, after the link is back: 3.4.23 "PUT /later", 3.5.16 "DELETE /peer, PUT /later"; a new watch from the last known revision: "compacted" with both.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
differs() { echo "changed: $*"; exit 1; }

# packages NAME SUITE PACKAGE...: of one release of Debian, unpacked below $dir/NAME; nothing is installed.
packages() {
  local name=$1 suite=$2 own=$dir/apt.$1
  shift 2
  mkdir -p "$own/lists/partial" "$own/archives/partial" "$own/debs" "$dir/$name"
  echo "deb $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1) $suite main" >"$own/sources"
  printf 'Dir::%s;\n' "State \"$own\"" 'State::status "/dev/null"' "Cache \"$own\"" "Etc::sourcelist \"$own/sources\"" 'Etc::sourceparts "/dev/null"' >"$own/conf"
  printf 'APT::Sandbox::User "root";\nAcquire::Languages "none";\n' >>"$own/conf"
  (cd "$own/debs" && export APT_CONFIG=$own/conf && apt-get -qq update >/dev/null && apt-get -qq download "$@" >/dev/null) || { echo "cannot fetch $*"; exit 2; }
  for deb in "$own"/debs/*.deb; do dpkg -x "$deb" "$dir/$name"; done
}
packages 3.4.23 bookworm etcd-server=3.4.23-4+b4 libc6
packages 3.5.16 trixie etcd-server=3.5.16-4 libc6

mkdir "$dir/program"
cd "$dir/program" || exit 2
printf 'module compacted\n\ngo 1.24\n' >go.mod
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const server, cable = "127.0.0.1:12379", "127.0.0.1:12378"

// link passes connections on to the server, as long as it is up.
type link struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (l *link) serve(on net.Listener) {
	for {
		near, err := on.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", server)
		l.mu.Lock()
		if err != nil || l.down {
			near.Close()
		} else {
			l.conns = append(l.conns, near, far)
			go io.Copy(near, far)
			go io.Copy(far, near)
		}
		l.mu.Unlock()
	}
}

func (l *link) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		for _, c := range l.conns {
			c.Close()
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(2)
	}
	return v
}

func client(at string) *clientv3.Client {
	return must(clientv3.New(clientv3.Config{Endpoints: []string{at}, Logger: zap.NewNop()}))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cut := &link{}
	go cut.serve(must(net.Listen("tcp", cable)))
	here, there := client(server), client(cable)
	must(here.Put(ctx, "/peer", "10.0.0.1"))
	known := must(there.Get(ctx, "/", clientv3.WithPrefix())).Header.Revision
	changes := there.Watch(ctx, "/", clientv3.WithPrefix(), clientv3.WithRev(known+1), clientv3.WithCreatedNotify())
	<-changes
	cut.set(true)
	deleted := must(here.Delete(ctx, "/peer")).Header.Revision
	must(here.Compact(ctx, deleted))
	cut.set(false)
	// As long as it takes the client to come back.
	must(there.Get(ctx, "/"))
	must(here.Put(ctx, "/later", ""))
	var seen []string
	for len(seen) == 0 || !strings.HasSuffix(seen[len(seen)-1], "/later") {
		r := <-changes
		if r.Err() != nil {
			seen = append(seen, r.Err().Error())
			break
		}
		for _, e := range r.Events {
			seen = append(seen, fmt.Sprintf("%s %s", e.Type, e.Kv.Key))
		}
	}
	fmt.Print(strings.Join(seen, ", "))
	again := <-there.Watch(ctx, "/", clientv3.WithPrefix(), clientv3.WithRev(known))
	if errors.Is(again.Err(), rpctypes.ErrCompacted) {
		fmt.Println("; compacted")
	} else {
		fmt.Println(";", again.Err())
	}
}
GO
export GOFLAGS=-mod=mod
go get go.etcd.io/etcd/client/v3@v3.7.3 >"$dir/log" 2>&1 && go build -o ../watch . >>"$dir/log" 2>&1 || { echo "cannot fetch the client"; exit 2; }
export dir
try() {
  version=$1
  ip link set lo up
  "$(find "$dir/$version" -name 'ld-linux-*.so.2' | head -n 1)" --library-path "$(find "$dir/$version" -type d -path '*lib/*-linux-gnu' | paste -sd:)" \
    "$dir/$version/usr/bin/etcd" --data-dir "$dir/data.$version" --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380 --initial-cluster default=http://127.0.0.1:12380 >"$dir/log" 2>&1 & etcd=$!
  for _ in $(seq 60); do (: </dev/tcp/127.0.0.1/12379) 2>/dev/null && break; sleep 0.5; done
  echo "$version: $("$dir/watch")"
  kill $etcd
  wait $etcd
}
export -f try
for version in 3.4.23 3.5.16; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
grep -qx '3.4.23: PUT /later; compacted' "$dir/seen" || differs 3.4.23
grep -qx '3.5.16: DELETE /peer, PUT /later; compacted' "$dir/seen" || differs 3.5.16

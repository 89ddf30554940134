#!/bin/bash
# One manifest is two objects for kubectl v0.37.2: "-f FILE" and "-k FOLDER", where a kustomization.yaml names that very file and does nothing else, read YAML
# with different parsers. Without an error or a warning
#   "<<: *common" behind a field replaces that field with -f, and not with -k (YAML says: what an object has itself counts, wherever it stands);
#   names that YAML 1.1 has for true and false (y, n, on, off, ...) are "true" and "false" with -f, so that the later of "y" and "on" replaces the other,
#   and stay what they are with -k.
# Who moves manifests into a kustomization, or tries them with "kubectl kustomize" first, changes what is in the cluster.
# Guess before: both read the same, an object's own field counts, and no entry of a ConfigMap gets lost.
# Seen: -f: rack=common tier=leaf true=1; -k: on=1 rack=own tier=leaf y=2.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
differs() { echo "changed: $*"; exit 1; }

mkdir "$dir/program" "$dir/manifests"
cat >"$dir/program/go.mod" <<'END'
module reads

go 1.26.0
END
cat >"$dir/program/main.go" <<'END'
// kubectl, as its module has it.
package main

import (
	"os"

	"k8s.io/kubectl/pkg/cmd"
)

func main() {
	if cmd.NewDefaultKubectlCommand().Execute() != nil {
		os.Exit(1)
	}
}
END
cd "$dir/program" || exit 2
export GOFLAGS=-mod=mod
go get k8s.io/kubectl@v0.37.2 >"$dir/log" 2>&1 && go build -o ../kubectl . >>"$dir/log" 2>&1 || { echo "cannot fetch kubectl"; exit 2; }

cd "$dir/manifests" || exit 2
cat >racks.yaml <<'END'
apiVersion: v1
kind: ConfigMap
metadata:
  name: racks
  labels: &common
    rack: common
    tier: leaf
data:
  rack: own
  y: "2"
  on: "1"
  <<: *common
END
printf 'resources: [racks.yaml]\n' >kustomization.yaml
# No server is asked: "label --local" prints what was read, and a label that it adds.
said='{{range $k, $v := .data}}{{$k}}={{$v}} {{end}}'
by_file=$("$dir/kubectl" label --local -f racks.yaml read=yes -o go-template="$said")
by_folder=$("$dir/kubectl" label --local -k . read=yes -o go-template="$said")
echo "-f: $by_file"
echo "-k: $by_folder"
[ "$by_file" = "rack=common tier=leaf true=1 " ] || differs -f
[ "$by_folder" = "on=1 rack=own tier=leaf y=2 " ] || differs -k

#!/bin/bash
# BIRD 3.1.8 (trixie) dies (segmentation fault) of a "configure" that changes the address on which sessions with a password listen, as when "strict bind on" comes to them or goes: the new socket
# is to have an address that the old one still has, and cannot. Some of such changes kill it, not all: the order of the two sockets is chance. Sessions without a password do not (they wait for the
# socket, and come up later), and BIRD 2.17.6 (trixie) takes both. In a Calico cluster that is what bindMode does in a BGPConfiguration, where the mesh or a peer has a password: to all nodes at once.
# Seen with 12 changes to and fro, of 5 sessions that have no neighbor: 2.17.6 lives through all, with passwords and without; 3.1.8 through all without, and died 4 and 5 times with.
set -u
dir=$(mktemp -d)
export dir
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
# with NAME PROGRAM ARGUMENT...: takes the shell's place, with the libraries that came along.
with() {
  local libraries
  libraries=$(find "$dir/$1/lib" "$dir/$1/usr/lib" -type d -name '*-linux-gnu' 2>/dev/null | paste -sd:)
  exec "$(find "$dir/$1" -name 'ld-linux-*.so.2' | head -n 1)" --library-path "$libraries" "$dir/$1/usr/sbin/$2" "${@:3}"
}
export -f with
libraries=(libc6 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssh-4 libssl3t64)
packages 2.17.6 trixie bird2=2.17.6-0+deb13u1 "${libraries[@]}"
packages 3.1.8 trixie bird3=3.1.8-0+deb13u1 "${libraries[@]}"

# configuration PASSWORD BIND: statements of each session, or nothing.
configuration() {
  echo 'router id 192.0.2.1; protocol device {}'
  for i in 1 2 3 4 5; do
    echo "protocol bgp s$i { local 192.0.2.1 as 65001; neighbor 192.0.2.1$i as 65001; multihop; $2 $1 ipv4 { import all; export none; }; }"
  done
}
# starts: begins a BIRD with the configuration that is there, and waits until it answers.
starts() {
  (with "$version" bird -f -c "$dir/conf" -s "$dir/ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do (with "$version" birdcl -s "$dir/ctl" show status) >"$dir/out" 2>/dev/null && return; sleep 0.5; done
  echo "BIRD $version does not start"
}
# try VERSION PASSWORD: how often BIRD has died of 12 changes.
try() {
  version=$1 died=0
  ip addr add 192.0.2.1/32 dev lo
  ip link set lo up
  configuration "$2" '' >"$dir/conf"
  starts
  for i in $(seq 12); do
    sleep 3
    bind=''
    [ $((i % 2)) = 1 ] && bind='strict bind on;'
    configuration "$2" "$bind" >"$dir/conf"
    (with "$version" birdcl -s "$dir/ctl" configure) >"$dir/out" 2>&1
    sleep 1
    kill -0 $bird 2>/dev/null && continue
    wait $bird
    [ $? = 139 ] && died=$((died + 1))
    starts
  done
  kill $bird
  wait $bird
  echo "$died"
}
export -f configuration starts try
for version in 2.17.6 3.1.8; do
  without=$(unshare -rn bash -c 'try "$0" ""' $version 2>/dev/null)
  with=$(unshare -rn bash -c 'try "$0" "password \"x\";"' $version 2>/dev/null)
  echo "$version: died $without times without a password, $with with"
  [ "$without" = 0 ] || differs "$version without a password"
  case $version in
    3.*) [ "$with" -gt 0 ] || differs "$version with a password" ;;
    *) [ "$with" = 0 ] || differs "$version with a password" ;;
  esac
done

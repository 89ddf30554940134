#!/bin/bash
# What "show status" calls "Last reconfiguration" after "configure undo" (or a "configure timeout" that ran out) is not the same from version to
# version. BIRD 2.0.12 (bookworm) and 2.17.6 (trixie) go back to the time of the configuration that is in use again, so that the time tells which
# configuration runs. BIRD 3.1.8 (trixie) says when the undo was: there the time tells that something happened, and not what runs.
# Seen: with a configuration of time A, "configure" at time B, and "configure undo" at time C: 2.0.12 and 2.17.6 say A, 3.1.8 says C.
set -u
work=$(mktemp -d)
cleanup() { for p in "$work"/*.pid; do [ -e "$p" ] && kill "$(cat "$p")"; done 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT
changed() { echo "changed: $*"; exit 1; }

# unpack FOLDER SUITE PACKAGE...: from the mirror that apt uses, into a folder; nothing is installed.
unpack() {
  local to=$work/$1 suite=$2 apt=$work/apt-$1 mirror options
  shift 2
  mkdir -p "$to" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/get"
  : >"$apt/status"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  echo "deb $mirror $suite main" >"$apt/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o "Dir::State::status=$apt/status" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${options[@]}" update >/dev/null && (cd "$apt/get" && apt-get "${options[@]}" download "$@" >/dev/null) || { echo "cannot fetch: $*"; exit 2; }
  for package in "$apt/get"/*.deb; do dpkg -x "$package" "$to"; done
}

# run FOLDER PROGRAM ARGUMENT...: with the libraries that came with it.
run() {
  local root=$work/$1 program=$2 loader
  shift 2
  loader=$(find "$root" -name 'ld-linux-*.so.2' | head -n 1)
  "$loader" --library-path "$(find "$root" -type d -path '*lib/*-linux-gnu' | paste -sd:)" "$root/usr/sbin/$program" "$@"
}

old=(libc6 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3 libreadline8 libtinfo6)
new=(libc6 libssh-4 libssl3t64 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libreadline8t64 libtinfo6)
unpack 2.0.12 bookworm bird2=2.0.12-7 "${old[@]}"
unpack 2.17.6 trixie bird2=2.17.6-0+deb13u1 "${new[@]}"
unpack 3.1.8 trixie bird3=3.1.8-0+deb13u1 "${new[@]}"

printf 'router id 10.0.0.1;\nprotocol device {}\n' >"$work/bird.conf"

# last VERSION: the time of the last reconfiguration, as that BIRD says it.
last() { run "$1" birdc -s "$work/$1.ctl" show status | sed -n 's/^Last reconfiguration on //p'; }

for version in 2.0.12 2.17.6 3.1.8; do
  run $version bird -c "$work/bird.conf" -s "$work/$version.ctl" -P "$work/$version.pid" &
  for _ in $(seq 40); do [ -n "$(last $version 2>/dev/null)" ] && break; sleep 0.5; done
  first=$(last $version)
  sleep 3
  printf 'router id 10.0.0.1;\nprotocol device {}\nprotocol static { ipv4; }\n' >"$work/bird.conf"
  run $version birdc -s "$work/$version.ctl" configure >/dev/null
  sleep 3
  second=$(last $version)
  run $version birdc -s "$work/$version.ctl" configure undo >/dev/null
  sleep 1
  third=$(last $version)
  printf 'router id 10.0.0.1;\nprotocol device {}\n' >"$work/bird.conf"
  echo "$version: $first, after configure $second, after undo $third"
  [ "${first%.*}" != "${second%.*}" ] || changed "$version: configure changes nothing"
  says=neither
  [ "${third%.*}" = "${first%.*}" ] && says=first
  [ "${third%.*}" \> "${second%.*}" ] && says=undo
  case $version in 3.*) want=undo ;; *) want=first ;; esac
  [ $says = $want ] || changed "$version: after undo it is the time of: $says"
done

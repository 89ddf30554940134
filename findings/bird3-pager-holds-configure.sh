#!/bin/bash
# Somebody who shows routes in a pager holds a reconfiguration of BIRD 3.1.8 (trixie) up: as long as a "birdc show route" waits for its reader, "configure"
# stays at "Reconfiguration in progress", though the new protocols are there at once. It ends when the reader reads on, or goes; there is no limit of time.
# What is configured meanwhile is queued. 3.1.8, and 3.4.0 of sid, were seen to end with an assertion in that state; that is not tried here.
# BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) are through at once, and tell the reader "Stopped due to reconfiguration" when it reads on.
# Guess before: as in BIRD 2, who reads slowly is in nobody's way.
# Seen, 15 s after "configure", and when the reader reads on: 2.0.12 and 2.17.6 "up and running, up and running", 3.1.8 "Reconfiguration in progress, up and running".
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
libraries=(libc6 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g)
packages 2.0.12 bookworm bird2=2.0.12-7 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libssl3 "${libraries[@]}"
packages 2.17.6 trixie bird2=2.17.6-0+deb13u1 libssh-4 libssl3t64 "${libraries[@]}"
packages 3.1.8 trixie bird3=3.1.8-0+deb13u1 libssh-4 libssl3t64 "${libraries[@]}"

conf() { # GENERATION
  printf 'router id 10.0.0.1;\nprotocol device {}\nprotocol static %s { ipv4; route 192.0.2.0/24 blackhole; }\nprotocol static many { ipv4;\n' "$1"
  for i in $(seq 0 79); do for j in $(seq 0 249); do echo "route 10.$i.$j.0/24 blackhole;"; done; done
  echo '}'
}
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
state() { ask show status | tail -n 1 | sed 's/Daemon is //'; }
await() { # TEXT SECONDS: until BIRD says so
  for _ in $(seq $((2 * $2))); do state | grep -q "$1" && return; sleep 0.5; done
}
try() {
  version=$1
  conf extra1 >"$dir/conf"
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  await 'up and running' 60
  for _ in $(seq 60); do ask show route count | grep -q '20001 of' && break; sleep 0.5; done
  rm -f "$dir/on" "$dir/begun"
  ask show route all | { read -r _; read -r _; touch "$dir/begun"; for _ in $(seq 600); do [ -e "$dir/on" ] && break; sleep 0.2; done; cat >/dev/null; } & reader=$!
  for _ in $(seq 300); do [ -e "$dir/begun" ] && break; sleep 0.2; done
  sleep 2
  conf extra2 >"$dir/conf"
  ask configure >/dev/null
  await 'up and running' 15
  ask show protocols extra2 | grep -q "^extra2" || echo "$version: the new protocol is not there"
  during=$(state)
  touch "$dir/on"
  await 'up and running' 60
  echo "$version: $during, $(state)"
  kill $bird
  wait $bird $reader
}
export -f conf ask state await try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: up and running, up and running" "$dir/seen" || differs $version; done
grep -qx '3.1.8: Reconfiguration in progress, up and running' "$dir/seen" || differs 3.1.8

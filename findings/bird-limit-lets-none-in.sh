#!/bin/bash
# "import limit 5 action block" of BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) lets fewer and fewer routes in, down to none: a neighbor tells ten, five are taken. Then two of these five are
# withdrawn and told again, as flaps do it, and three are left: what is blocked counts towards the limit, against the manual (accepted routes alone), so that nothing comes in before the
# neighbor tells fewer than five in all; and what it told meanwhile stays out even then. After three such flaps the table is empty, the session up, and the limit 5. "configure" is no help,
# "reload in" is. "receive limit" does the same. BIRD 3.1.8 (trixie) counts what it has: always five. Where room comes (the neighbor tells only four), what was blocked before stays out in
# 3.1.8, too, until "reload bgp in".
# Guess before: five routes at any time, as long as the neighbor tells that many.
# Seen of both limits, routes that are taken at the start, after the flap of two that were, after three more such flaps, after configure, when the neighbor tells four, and after the reload:
# 2.0.12 and 2.17.6 "5 3 0 0 0 4", 3.1.8 "5 5 5 5 2 4".
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

tells() { # tells NUMBER...: the file of the neighbor that tells these networks
  echo "router id 192.0.2.2; protocol device {} protocol static { ipv4;"
  for i; do echo "route 10.$i.0.0/16 blackhole;"; done
  echo "}
protocol bgp up { local 127.0.0.2 port 1790 as 65002; neighbor 127.0.0.1 port 1790 as 65001; multihop; strict bind on; connect delay time 1; ipv4 { import none; export all; }; }"
}
limits() { # limits KIND
  echo "log stderr all; router id 192.0.2.1; protocol device {}
protocol bgp up { local 127.0.0.1 port 1790 as 65001; neighbor 127.0.0.2 port 1790 as 65002; multihop; strict bind on; connect delay time 1;
  ipv4 { import all; export none; $1 limit 5 action block; }; }"
}
ask() { (with "$1" birdcl -s "$dir/$1.ctl" "${@:2}") 2>/dev/null; }
# The neighbor is a 2.17.6 of another name, whatever the other one is.
tell() { tells "$@" >"$dir/neighbor"; (with 2.17.6 birdcl -s "$dir/neighbor.ctl" configure) >/dev/null; sleep 1.5; }
has() { ask "$version" show route | sed -n 's/^10\.\([0-9]*\)\..*/\1/p'; }
count() { has | wc -l; }
flap() { # the first two of the networks that are taken go and come back
  local two rest=
  two=$(has | head -n 2)
  for i in 0 1 2 3 4 5 6 7 8 9; do grep -qx "$i" <<<"$two" || rest="$rest $i"; done
  tell $rest
  tell 0 1 2 3 4 5 6 7 8 9
}
try() { # try VERSION KIND
  version=$1
  ip link set lo up
  tells 0 1 2 3 4 5 6 7 8 9 >"$dir/neighbor"
  limits "$2" >"$dir/conf.$version"
  (with 2.17.6 bird -f -c "$dir/neighbor" -s "$dir/neighbor.ctl" -P "$dir/neighbor.pid") >"$dir/neighbor.log" 2>&1 & neighbor=$!
  (with "$version" bird -f -c "$dir/conf.$version" -s "$dir/$version.ctl" -P "$dir/$version.pid") >"$dir/log.$version" 2>&1 & bird=$!
  for _ in $(seq 100); do [ "$(count)" = 5 ] && break; sleep 0.2; done
  sleep 1
  seen=$(count)
  flap
  seen="$seen $(count)"
  flap
  flap
  flap
  seen="$seen $(count)"
  ask "$version" configure >/dev/null
  sleep 1
  seen="$seen $(count)"
  # Of the four, two are taken by 3.1.8 at that time.
  tell $({ has | head -n 2; seq 0 9 | grep -vxFf <(has); } | head -n 4)
  seen="$seen $(count)"
  case $version in 3.*) ask "$version" reload bgp in up ;; *) ask "$version" reload in up ;; esac >/dev/null
  sleep 1.5
  echo "$version $2: $seen $(count)"
  kill $bird $neighbor
  wait $bird $neighbor
}
export -f tells limits ask tell has count flap try
for kind in import receive; do for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0" "$1"' $version $kind 2>/dev/null; done; done | tee "$dir/seen"
for kind in import receive; do
  for version in 2.0.12 2.17.6; do grep -qx "$version $kind: 5 3 0 0 0 4" "$dir/seen" || differs "$version $kind"; done
  grep -qx "3.1.8 $kind: 5 5 5 5 2 4" "$dir/seen" || differs "3.1.8 $kind"
done

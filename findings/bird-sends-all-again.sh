#!/bin/bash
# BIRD tells a neighbor all routes again when the session's export filter is another one, also where the same comes out of it: a hundred routes, a filter that changes one of them, or none,
# and a hundred are sent. On a route reflector that is the whole table for every client. "export table on", which keeps what was sent, spares nothing in 2.0.12 and 2.17.6; in 3.1.8 it
# does: no more is sent than what differs.
# Guess before: 3.1.8, which keeps track of what it has sent anyway, sends what differs; the others do with "export table on".
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie), updates that the neighbor gets in all: at the start, after a filter of the same meaning, after one that sets bgp_med of one route.
# Without an export table "100 200 300" each; with one "100 200 300" of 2.0.12 and 2.17.6, "100 100 101" of 3.1.8.
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

# conf TABLE FILTER
conf() {
  {
    echo 'router id 192.0.2.1; protocol device {}'
    echo 'protocol static own { ipv4;'
    for i in $(seq 100); do echo "route 198.51.$i.0/24 blackhole;"; done
    echo "} filter told { $2 accept; }"
    echo "protocol bgp near { strict bind on; local 127.0.0.1 port 1179 as 65001; neighbor 127.0.0.2 port 2179 as 65002; multihop;"
    echo "connect delay time 1; connect retry time 1; ipv4 { import none; export filter told; $1 }; }"
  } >"$dir/near.conf"
}
cat >"$dir/far.conf" <<'END'
router id 192.0.2.2;
protocol device {}
protocol bgp far {
  strict bind on; local 127.0.0.2 port 2179 as 65002; neighbor 127.0.0.1 port 1179 as 65001; multihop;
  connect delay time 1; connect retry time 1; ipv4 { import all; export none; };
}
END
ask() { (with "$version" birdcl -s "$dir/$1.ctl" "${@:2}") 2>/dev/null; }
got() { ask far show protocols all far | awk '/Import updates:/ { print $3 }'; }
# settled: what was got, once it stays the same for three seconds.
settled() {
  local last=
  while sleep 3; now=$(got); [ "$now" != "$last" ] || [ -z "$now" ]; do last=$now; done
  echo "$now"
}
try() {
  version=$1 table=$2
  ip link set lo up
  conf "$table" ''
  for who in near far; do (with "$version" bird -f -c "$dir/$who.conf" -s "$dir/$who.ctl") >"$dir/log" 2>&1 & done
  for _ in $(seq 60); do [ "$(got)" = 100 ] && break; sleep 0.5; done
  start=$(settled)
  conf "$table" 'if net ~ 198.51.0.0/16 then accept;'
  ask near configure >/dev/null
  same=$(settled)
  conf "$table" 'if net = 198.51.7.0/24 then bgp_med = 5;'
  ask near configure >/dev/null
  echo "$version ${table:-no export table}: $start $same $(settled)"
  kill $(jobs -p)
  wait
}
export -f conf ask got settled try
for table in '' 'export table on;'; do
  for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0" "$1"' $version "$table"; done
done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version no export table: 100 200 300" "$dir/seen" || differs "$version"; done
for version in 2.0.12 2.17.6; do grep -qx "$version export table on;: 100 200 300" "$dir/seen" || differs "$version with an export table"; done
grep -qx '3.1.8 export table on;: 100 100 101' "$dir/seen" || differs '3.1.8 with an export table'

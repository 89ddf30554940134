#!/bin/bash
# A route of the kernel that leads to a group of next hops (ip nexthop), and that BIRD has learned: when a next hop of the group goes away, the kernel takes
# it out of the route, and with the last one the whole route, and tells nobody of the route: there is a message of the next hop alone, which BIRD does not
# listen to. So BIRD uses, and announces, a next hop or a route that is gone, until it scans (60 s unless set); "configure" does not help.
# A next hop that is replaced is told, and BIRD follows at once. Groups come from FRR's zebra on the same host, and from whoever uses "ip nexthop".
# Guess before: what changes a route is told as a change of the route, as it is where a next hop is replaced.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie), next hops in the kernel and in BIRD: with the group "2 2", one deleted "1 2", the other one too
# "0 2", after configure "0 2", after the scan "0 0"; and with a route to one that is replaced "192.0.2.4".
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

cat >"$dir/conf" <<'END'
router id 192.0.2.1;
protocol device { scan time 1; }
protocol direct { ipv4; }
protocol kernel kern { learn; scan time 100; ipv4 { import all; export none; }; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
hops() { echo "$(ip route show 198.51.100.0/24 | grep -o 'via [0-9.]*' | wc -l) $(ask show route 198.51.100.0/24 | grep -c 'via ')"; }
until_is() { for _ in $(seq $((2 * $2))); do [ "$(hops)" = "$1" ] && break; sleep 0.5; done; hops; }
try() {
  version=$1
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do ask show route | grep -q 192.0.2.0/24 && break; sleep 0.5; done
  sleep 2
  ip nexthop add id 12 via 192.0.2.2 dev near
  ip nexthop add id 13 via 192.0.2.3 dev near
  ip nexthop add id 20 group 12/13
  ip nexthop add id 14 via 192.0.2.9 dev near
  ip route add 198.51.100.0/24 nhid 20 proto static
  ip route add 203.0.113.0/24 nhid 14 proto static
  both=$(until_is '2 2' 10)
  ip nexthop replace id 14 via 192.0.2.4 dev near
  for _ in $(seq 20); do ask show route 203.0.113.0/24 | grep -q 192.0.2.4 && break; sleep 0.5; done
  replaced=$(ask show route 203.0.113.0/24 | grep -o '192.0.2.[49]')
  ip nexthop del id 13
  sleep 4
  one=$(hops)
  ip nexthop del id 12
  sleep 4
  none=$(hops)
  ask configure >/dev/null
  sleep 2
  configured=$(hops)
  echo "$version: $both, $one, $none, $configured, $(until_is '0 0' 130), replaced $replaced"
  kill $bird
  wait $bird
}
export -f ask hops until_is try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: 2 2, 1 2, 0 2, 0 2, 0 0, replaced 192.0.2.4" "$dir/seen" || differs $version; done

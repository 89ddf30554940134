#!/bin/bash
# An IPv6 route of the kernel with two next hops, which BIRD has learned: when one of them is taken away (ip -6 route del NET via ONE), the kernel goes on
# with the other one, and BIRD forgets the whole route, withdraws it from its neighbors, and has what is reached by it as unreachable, until it scans (60 s
# unless set). "configure" does not help. The kernel says that a route with this one next hop is deleted, and BIRD takes that for the route. When a next hop is
# added, BIRD has both at once. (Where the next hops are a group, BIRD keeps too much instead: bird-next-hop-group-shrinks.sh.)
# Guess before: BIRD has one next hop left, as the kernel has, at once.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie) with Linux 6.18.44, next hops in the kernel and in BIRD: with both "2 2", one deleted "1 0", after
# configure "1 0", after the scan "1 1", the other one added again "2 2".
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
protocol direct { ipv6; }
protocol kernel kern { learn; scan time 40; ipv6 { import all; export none; }; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
hops() { echo "$(ip -6 route show 2001:db8:7::/48 | grep -c via) $(ask show route 2001:db8:7::/48 | grep -c 'via ')"; }
until_is() { for _ in $(seq $((2 * $2))); do [ "$(hops)" = "$1" ] && break; sleep 0.5; done; hops; }
try() {
  version=$1
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 2001:db8::1/64 dev near nodad
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do ask show route | grep -q 2001:db8::/64 && break; sleep 0.5; done
  sleep 2
  ip -6 route add 2001:db8:7::/48 proto static nexthop via 2001:db8::2 nexthop via 2001:db8::3
  both=$(until_is '2 2' 60)
  sleep 2
  ip -6 route del 2001:db8:7::/48 via 2001:db8::3
  sleep 4
  one=$(hops)
  ask configure >/dev/null
  sleep 2
  configured=$(hops)
  scanned=$(until_is '1 1' 60)
  ip -6 route append 2001:db8:7::/48 proto static via 2001:db8::3
  echo "$version: $both, $one, $configured, $scanned, $(until_is '2 2' 5)"
  kill $bird
  wait $bird
}
export -f ask hops until_is try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: 2 2, 1 0, 1 0, 1 1, 2 2" "$dir/seen" || differs $version; done

#!/bin/bash
# An IPv6 route of the kernel with two next hops, one on each of two interfaces, as a node with two uplinks has it, and that BIRD has learned: one interface is set down and up
# again, which takes its address away (Linux keeps those of IPv4), and not the route: the kernel has both next hops again, and uses them. BIRD takes a next hop that is in no network
# of the interface's for a strange one, and drops the whole route at its next scan, the other next hop with it. What is reached by that route becomes unreachable, for neighbors as well.
# It logs it as an error at each scan. While the interface is down BIRD has the other next hop alone, as it should.
# Guess before: BIRD has the one next hop that it understands, as while the interface is down.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie) with Linux 6.18.44, next hops in the kernel and in BIRD: at the start "2 2", with the interface down "1 1" (of those that
# are not dead), up again, after a scan "2 0", with the address back, after a scan "2 2".
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
log stderr all;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol direct { ipv6; }
protocol kernel kern { learn; scan time 5; ipv6 { import all; export none; }; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
hops() { echo "$(ip -6 route show 2001:db8:7::/48 | grep via | grep -vc dead) $(ask show route 2001:db8:7::/48 | grep -c 'via ')"; }
until_is() { for _ in $(seq 40); do [ "$(hops)" = "$1" ] && break; sleep 0.5; done; sleep 6; hops; }
try() {
  version=$1
  for n in 1 2; do
    ip link add near$n type veth peer name far$n
    ip link set near$n up
    ip link set far$n up
    ip addr add 2001:db8:$n::1/64 dev near$n nodad
  done
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/$version.log" 2>&1 & bird=$!
  for _ in $(seq 60); do ask show route | grep -q 2001:db8:2::/64 && break; sleep 0.5; done
  ip -6 route add 2001:db8:7::/48 proto static nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2
  both=$(until_is '2 2')
  ip link set near1 down
  down=$(until_is '1 1')
  ip link set near1 up
  up=$(until_is '2 0')
  ip addr add 2001:db8:1::1/64 dev near1 nodad
  echo "$version: $both, $down, $up, $(until_is '2 2')"
  kill $bird
  wait $bird
}
export -f ask hops until_is try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do
  grep -qx "$version: 2 2, 1 1, 2 0, 2 2" "$dir/seen" || differs $version
  grep -q 'strange next-hop' "$dir/$version.log" || differs "$version: what it logs"
done

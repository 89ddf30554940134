#!/bin/bash
# Two IPv4 routes of the kernel to one network, of one metric, as systemd-networkd makes them (it appends) where two uplinks have the same one: Linux keeps both, uses
# the first, and goes on with the second when the first one goes. A BIRD that has learned the first takes the second one in its place as soon as it comes, so that it
# announces, and resolves next hops by, another router than the kernel uses. When the first one is removed, BIRD has none until it scans (60 s unless set), where
# the kernel has the second; "configure" does not help.
# Guess before: BIRD has what the kernel uses, before and after.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie) with Linux 6.18.44, next hop of the kernel and of BIRD: with one "2 2", the other one appended "2 3", the
# first one removed "3 none", after configure "3 none", after the scan "3 3".
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
protocol kernel kern { learn; scan time 30; ipv4 { import all; export none; }; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
last() { grep -o 'via 192.0.2.[0-9]*' | head -n 1 | sed 's/.*\.//' | grep . || echo none; }
hops() { echo "$(ip route get 198.51.100.1 | last) $(ask show route 198.51.100.0/24 | last)"; }
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
  ip route add 198.51.100.0/24 via 192.0.2.2 proto static
  one=$(until_is '2 2' 60)
  ip route append 198.51.100.0/24 via 192.0.2.3 proto static
  sleep 2
  both=$(hops)
  ip route del 198.51.100.0/24 via 192.0.2.2
  sleep 2
  removed=$(hops)
  ask configure >/dev/null
  sleep 2
  echo "$version: $one, $both, $removed, $(hops), $(until_is '3 3' 60)"
  kill $bird
  wait $bird
}
export -f ask last hops until_is try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: 2 2, 2 3, 3 none, 3 none, 3 3" "$dir/seen" || differs $version; done

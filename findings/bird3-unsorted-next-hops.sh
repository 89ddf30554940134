#!/bin/bash
# A static route of several next hops that BIRD 3.1.8 (trixie) has only where they are written in the order that it sorts them by: the heaviest first, and of equal
# weight the lowest address first. Another order is accepted by "bird -p" and by "configure", the sessions are up, and the route is in no table: one line of the log,
# a warning, says that an unsorted multipath route is ignored. Where one next hop's interface goes down the route appears, by the other one; when it is up again the
# route goes away. A BGP route that resolves through such a route is unreachable. BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) take any order, and sort.
# Routes of the kernel that are learned are sorted by 3.1.8, too.
# Guess before: the order does not matter.
# Seen, next hops in the table of "low high", "high low" (by address), "light heavy", "heavy light" (by weight), and of what resolves through "high low":
# 2.0.12 and 2.17.6 "2 2 2 2 2"; 3.1.8 "2 0 0 2 0"; and of "high low" with an interface down and up again, 2.0.12 and 2.17.6 "1 2", 3.1.8 "1 0".
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
protocol static {
  ipv4;
  route 198.51.100.0/28 via 192.0.2.2 via 192.0.2.130;
  route 198.51.100.16/28 via 192.0.2.130 via 192.0.2.2;
  route 198.51.100.32/28 via 192.0.2.2 via 192.0.2.130 weight 2;
  route 198.51.100.48/28 via 192.0.2.130 weight 2 via 192.0.2.2;
  route 198.51.100.64/28 recursive 198.51.100.17;
}
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
hops() { ask show route "$1" | grep -c 'via '; }
try() {
  version=$1
  for name in one two; do
    ip link add $name type veth peer name far-$name
    ip link set $name up
    ip link set far-$name up
  done
  ip addr add 192.0.2.1/25 dev one
  ip addr add 192.0.2.129/25 dev two
  (with "$version" bird -p -c "$dir/conf") >/dev/null 2>&1 || echo "$version: refused"
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log.$version" 2>&1 & bird=$!
  for _ in $(seq 60); do [ "$(hops 198.51.100.0/28)" = 2 ] && break; sleep 0.5; done
  sleep 2
  all=$(for last in 0 16 32 48 64; do hops 198.51.100.$last/28; done | xargs)
  ip link set two down
  sleep 3
  down=$(hops 198.51.100.16/28)
  ip link set two up
  sleep 3
  echo "$version: $all; $down $(hops 198.51.100.16/28)"
  kill $bird
  wait $bird
}
export -f ask hops try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: 2 2 2 2 2; 1 2" "$dir/seen" || differs $version; done
grep -qx '3.1.8: 2 0 0 2 0; 1 0' "$dir/seen" || differs 3.1.8
grep -q 'unsorted multipath route' "$dir/log.3.1.8" || differs '3.1.8: its log'

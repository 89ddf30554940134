#!/bin/bash
# A route of the kernel that somebody else has set (an administrator, a network daemon), of the metric that BIRD gives to its own: when BIRD gets a route to the same network, Linux
# refuses it ("Netlink: File exists" in the log), and what was there stays. But only for now. BIRD 3.1.8 (trixie) replaces it at its next scan. BIRD 2.0.12-7 (bookworm) tries in vain at
# each scan, and replaces it when its own route gets another next hop; so does 2.17.6 (trixie) with a metric of the protocol's, not with "metric 0", where the routes say theirs. When
# BIRD's route is withdrawn, the other one does not come back: the network has no route. ("learn" and "persist" change nothing. 3.1.8 with "metric 0" does it with "merge paths on" alone.)
# The same metric is not far: "ip -6 route add" means 1024, which is what Calico has BIRD give to routes of its nodes.
# Guess before: BIRD leaves others' routes alone.
# Seen with Linux 6.18.44, next hop of the IPv4 and of the IPv6 route in the kernel (7 is the other one's) when BIRD gets one, after a scan, with another next hop and a scan, withdrawn:
# with "metric 32", 2.0.12 and 2.17.6 "77 77 33 --", 3.1.8 "77 22 33 --"; with krt_metric 1024, "metric 0" and "merge paths on", 2.0.12 "77 77 33 --", 2.17.6 "77 77 77 77",
# 3.1.8 "77 22 33 --".
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

conf() { # conf [NEXT-HOP]
  local options="metric 32;" export="export all;"
  [ "$metric" = 1024 ] && options="metric 0; merge paths on;" export="export filter { krt_metric = 1024; accept; };"
  cat >"$dir/conf" <<END
log stderr all;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol kernel { scan time 5; debug { events }; $options ipv4 { import none; $export }; }
protocol kernel { scan time 5; $options ipv6 { import none; $export }; }
protocol static { ipv4; ${1:+route 198.51.100.0/24 via 192.0.2.$1;} }
protocol static { ipv6; ${1:+route 2001:db8:7::/48 via 2001:db8::$1;} }
END
}
hops() {
  for route in "-4 route show 198.51.100.0/24" "-6 route show 2001:db8:7::/48"; do
    ip $route | sed -n 's/.* via [0-9a-f.:]*\([0-9]\) .*/\1/p' | grep . || echo -
  done | tr -d '\n'
}
# scanned: waits for the next scan of the kernel, and a little more. One that is under way may be the one before.
scanned() {
  local before
  before=$(grep -c 'Scanning routing table' "$dir/log")
  for _ in $(seq 100); do [ "$(grep -c 'Scanning routing table' "$dir/log")" -gt "$before" ] && break; sleep 0.1; done
  sleep 0.5
}
becomes() { # becomes [NEXT-HOP]: BIRD has that now
  conf "$@"
  (with "$version" birdcl -s "$dir/$version.ctl" configure) >/dev/null
  sleep 0.7
}
try() {
  version=$1 metric=$2
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  ip addr add 2001:db8::1/64 dev near nodad
  ip route add 198.51.100.0/24 via 192.0.2.7 metric "$metric"
  ip route add 2001:db8:7::/48 via 2001:db8::7 metric "$metric"
  conf
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl" -P "$dir/pid") >"$dir/log" 2>&1 & bird=$!
  scanned
  scanned
  becomes 2
  seen=$(hops)
  scanned
  seen="$seen $(hops)"
  becomes 3
  scanned
  seen="$seen $(hops)"
  becomes
  scanned
  echo "$version $metric: $seen $(hops)"
  kill $bird
  wait $bird
}
export -f conf hops scanned becomes try
for metric in 32 1024; do for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0" "$1"' $version $metric 2>/dev/null; done; done | tee "$dir/seen"
for metric in 32 1024; do
  grep -qx -- "2.0.12 $metric: 77 77 33 --" "$dir/seen" || differs "2.0.12, $metric"
  grep -qx -- "3.1.8 $metric: 77 22 33 --" "$dir/seen" || differs "3.1.8, $metric"
done
grep -qx -- '2.17.6 32: 77 77 33 --' "$dir/seen" || differs '2.17.6, 32'
grep -qx -- '2.17.6 1024: 77 77 77 77' "$dir/seen" || differs '2.17.6, 1024'

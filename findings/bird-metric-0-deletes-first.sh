#!/bin/bash
# A route gets another next hop: with "metric 0" in "protocol kernel", which has each route say its own (krt_metric) and is what Calico's configuration has, BIRD 2.17.6 and 3.1.8 (trixie) delete
# the kernel's route and add the new one, so that for an instant there is none: packets of that instant go by a less specific route, into its blackhole, or back as unreachable. With a
# metric of the protocol's, the default, they replace it in one go, and BIRD 2.0.12-7 (bookworm) does in both cases. "reload out" takes each route out and in that way, though
# nothing has changed. The log is silent, and a look at the kernel shows the right route before and after.
# Guess before: it is replaced in one go, by all, in both families.
# Seen with Linux 6.18.44, routes that are deleted and added in the kernel (IPv4 and IPv6) when the next hop of one of each changes: with "metric 32" 2.0.12, 2.17.6 and 3.1.8
# "0 of 2"; with "metric 0" 2.0.12 "0 of 2", 2.17.6 and 3.1.8 "2 of 2". Deleted by "reload out" (3.1.8: "reload filters out"): the same ones.
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

conf() { # conf NEXT-HOP
  local export="export all;"
  [ "$metric" = 0 ] && export="export filter { krt_metric = 1024; accept; };"
  cat >"$dir/conf" <<END
log stderr all;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol kernel { scan time 60; metric $metric; ipv4 { import none; $export }; }
protocol kernel { scan time 60; metric $metric; ipv6 { import none; $export }; }
protocol static { ipv4; route 198.51.100.0/24 via 192.0.2.$1; }
protocol static { ipv6; route 2001:db8:7::/48 via 2001:db8::$1; }
END
}
have() { # have NEXT-HOP: whether the kernel has both routes by it
  ip -4 route show 198.51.100.0/24 | grep -q "via 192.0.2.$1 " && ip -6 route show 2001:db8:7::/48 | grep -q "via 2001:db8::$1 "
}
until_they_go_by() { for _ in $(seq 60); do have "$1" && break; sleep 0.2; done; have "$1" || echo "no routes by $1"; }
try() {
  version=$1 metric=$2
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  ip addr add 2001:db8::1/64 dev near nodad
  conf 2
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl" -P "$dir/pid") >"$dir/log" 2>&1 & bird=$!
  until_they_go_by 2
  sleep 1
  stdbuf -oL ip monitor route >"$dir/events" & monitor=$!
  sleep 1
  conf 3
  (with "$version" birdcl -s "$dir/$version.ctl" configure) >/dev/null
  until_they_go_by 3
  sleep 1
  changed="$(grep -cE '^Deleted .*via (192.0.2.2|2001:db8::2) ' "$dir/events") of $(grep -cE '^[0-9].*via (192.0.2.3|2001:db8::3) ' "$dir/events")"
  case $version in 3.*) direction="filters out" ;; *) direction=out ;; esac
  (with "$version" birdcl -s "$dir/$version.ctl" reload $direction all) >/dev/null
  sleep 2
  echo "$version $metric: $changed, reload $(grep -cE '^Deleted .*via (192.0.2.3|2001:db8::3) ' "$dir/events")"
  kill $monitor $bird
  wait $monitor $bird
}
export -f conf have until_they_go_by try
for metric in 32 0; do for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0" "$1"' $version $metric 2>/dev/null; done; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version 32: 0 of 2, reload 0" "$dir/seen" || differs "$version, metric 32"; done
grep -qx '2.0.12 0: 0 of 2, reload 0' "$dir/seen" || differs '2.0.12, metric 0'
for version in 2.17.6 3.1.8; do grep -qx "$version 0: 2 of 2, reload 2" "$dir/seen" || differs "$version, metric 0"; done

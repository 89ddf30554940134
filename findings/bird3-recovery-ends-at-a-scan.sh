#!/bin/bash
# BIRD 3.1.8 (trixie), started with -R, with "graceful restart" in its "protocol kernel": when the recovery is over the kernel gets no route until the next
# "scan time", which is 60 s unless set. "show status" says that all is well, "show route" shows the routes, and the log is silent. "restart" of the kernel
# protocol brings them at once. BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) write them when the recovery ends, whatever the scan time; and 3.1.8 does
# so at a start without -R.
# Guess before: as in BIRD 2, the end of the recovery is when the routes are written.
# Seen, with a wait of 5 s and a scan time of 90 s, 20 s after the end of the recovery: 2.0.12 "route", 2.17.6 "route", 3.1.8 "no route"; after a restart of
# the kernel protocol "route" with all.
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
graceful restart wait 5;
protocol device { scan time 1; }
protocol direct { ipv4; }
protocol static { ipv4; route 198.51.100.0/24 via 192.0.2.2; }
protocol kernel kern { scan time 90; persist; graceful restart; ipv4 { import none; export all; }; }
protocol bgp away { local 192.0.2.1 as 65001; neighbor 192.0.2.2 as 65001; multihop; graceful restart on; ipv4; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
recovering() { ask show status | grep -q 'recovery in progress'; }
kernel() { ip route show 198.51.100.0/24 | grep -q . && echo route || echo no route; }
try() {
  version=$1
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  (with "$version" bird -f -R -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do recovering && break; sleep 0.5; done
  for _ in $(seq 60); do recovering || break; sleep 0.5; done
  ask show status | grep -q 'up and running' || echo "$version: not up"
  sleep 20
  after=$(kernel)
  ask restart kern >/dev/null
  for _ in $(seq 20); do [ "$(kernel)" = route ] && break; sleep 0.5; done
  echo "$version: $after, $(kernel)"
  kill $bird
  wait $bird
}
export -f ask recovering kernel try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: route, route" "$dir/seen" || differs $version; done
grep -qx '3.1.8: no route, route' "$dir/seen" || differs 3.1.8

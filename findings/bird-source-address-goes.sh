#!/bin/bash
# Routes that BIRD has given a source address (krt_prefsrc), when that address is removed from the machine and comes back, as the address of a keepalived or a renewed
# lease does: Linux deletes the IPv4 routes, and takes the address out of the IPv6 ones, and tells nobody of either. BIRD shows the routes as before. The IPv4 ones
# are back at the next scan (60 s unless set), "configure" does not help. The IPv6 ones stay without the address, however often BIRD scans: it does not compare it. So
# the node goes on speaking from another address. BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) put it right at "reload out"; 3.1.8 (trixie), where that command
# is "reload filters out", at a restart of the kernel protocol only.
# Guess before: BIRD hears of it, or sees it when it scans, and puts both right.
# Seen with Linux 6.18.44, source of the IPv4 and of the IPv6 route at the start, with the address back, after configure, two scans, reload out, restart: 2.0.12 and
# 2.17.6 "set set, gone none, gone none, set none, set set, set set", 3.1.8 "set set, gone none, gone none, set none, set none, set set".
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
protocol kernel four { scan time 20; ipv4 { import none; export filter { krt_prefsrc = 192.0.2.50; accept; }; }; }
protocol kernel six { scan time 20; ipv6 { import none; export filter { krt_prefsrc = 2001:db8::50; accept; }; }; }
protocol static { ipv4; route 198.51.100.0/24 via 192.0.2.2; }
protocol static { ipv6; route 2001:db8:7::/48 via 2001:db8::2; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") >/dev/null 2>&1; }
source_of() {
  local route
  route=$(ip "-$2" route show "$1")
  case $route in '') echo gone ;; *' src '*) echo set ;; *) echo none ;; esac
}
sources() { echo "$(source_of 198.51.100.0/24 4) $(source_of 2001:db8:7::/48 6)"; }
try() {
  version=$1
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  ip addr add 192.0.2.50/24 dev near
  ip addr add 2001:db8::1/64 dev near nodad
  ip addr add 2001:db8::50/64 dev near nodad
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do [ "$(sources)" = 'set set' ] && break; sleep 0.5; done
  sleep 1
  seen=$(sources)
  ip addr del 192.0.2.50/24 dev near
  ip addr del 2001:db8::50/64 dev near
  ip addr add 192.0.2.50/24 dev near
  ip addr add 2001:db8::50/64 dev near nodad
  sleep 2
  seen="$seen, $(sources)"
  ask configure
  sleep 2
  seen="$seen, $(sources)"
  sleep 45
  seen="$seen, $(sources)"
  case $version in 3.*) ask reload filters out all ;; *) ask reload out all ;; esac
  sleep 3
  seen="$seen, $(sources)"
  ask restart six
  sleep 5
  echo "$version: $seen, $(sources)"
  kill $bird
  wait $bird
}
export -f ask source_of sources try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: set set, gone none, gone none, set none, set set, set set" "$dir/seen" || differs $version; done
grep -qx '3.1.8: set set, gone none, gone none, set none, set none, set set' "$dir/seen" || differs 3.1.8

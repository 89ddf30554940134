#!/bin/bash
# A route that is withdrawn and comes back, as those of a neighbor whose session goes down and up do: BIRD 3.1.8 (trixie) takes it out of the kernel at once, and puts it
# there again only at the next scan of its "protocol kernel" (60 s unless set), though "show route" has it. So it is with the second change of a route's next hop after
# a scan: the kernel keeps the one before. Nothing is logged, "configure" does not help;
# "reload filters out", which is 3.1.8's name for "reload out", does. Only until its first scan after the start it follows at once, so
# that a short try looks right. BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) follow always. "learn", "persist" and "merge paths" change nothing; 3.4.0 of sid, not tried here,
# is as 3.1.8.
# Guess before: the kernel follows the table at once, and scans mend what others have done.
# Seen, with a scan time of 30 s, whether the kernel has the route after off, on, off, on, and which next hop after a change and another one; before the first
# scan, after it, and after the next one: 2.0.12 and 2.17.6 "0 1 0 1 3 4; 0 1 0 1 3 4; 4", 3.1.8 "0 1 0 1 3 4; 0 0 0 0 3 3; 4", and with the changes alone
# after another scan, and the reload, 2.0.12 and 2.17.6 "3 4 4", 3.1.8 "3 3 4".
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

conf() {
  cat >"$dir/conf.$version" <<END
log stderr all;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol kernel kern { debug { events }; scan time 30; ipv4 { import none; export all; }; }
protocol static written { ipv4; route 198.51.100.0/24 via 192.0.2.$1; }
END
}
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") >/dev/null 2>&1; }
hop() { ip route show 198.51.100.0/24 proto bird | grep -o 'via 192.0.2.[0-9]*' | sed 's/.*\.//' | grep . || echo none; }
scans() { grep -c 'Scanning routing table' "$dir/log.$version"; }
# after N: waits for scan N, and a little more.
after() { for _ in $(seq 100); do [ "$(scans)" -ge "$1" ] && break; sleep 0.5; done; sleep 1; }
change() { conf "$1"; ask configure; sleep 1; hop; }
again() {
  case $version in 3.*) ask reload filters out kern ;; *) ask reload out kern ;; esac
  sleep 1
  hop
}
flap() {
  for command in disable enable disable enable; do
    ask $command written
    sleep 1
    ip route show proto bird | wc -l
  done
}
try() {
  version=$1
  ip link add near type veth peer name far
  ip link set near up
  ip link set far up
  ip addr add 192.0.2.1/24 dev near
  conf 2
  (with "$version" bird -f -c "$dir/conf.$version" -s "$dir/$version.ctl") >"$dir/log.$version" 2>&1 & bird=$!
  for _ in $(seq 60); do [ "$(hop)" = 2 ] && break; sleep 0.5; done
  fresh=$(flap; change 3; change 4)
  after 2
  scanned=$(flap; change 3; change 4)
  after 3
  next=$(hop)
  changed=$(change 3; change 4; again)
  echo "$version:" $fresh\; $scanned\; $next\; $changed
  kill $bird
  wait $bird
}
export -f conf ask hop scans after change again flap try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: 0 1 0 1 3 4; 0 1 0 1 3 4; 4; 3 4 4" "$dir/seen" || differs $version; done
grep -qx '3.1.8: 0 1 0 1 3 4; 0 0 0 0 3 3; 4; 3 3 4' "$dir/seen" || differs 3.1.8

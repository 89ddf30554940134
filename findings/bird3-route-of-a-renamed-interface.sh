#!/bin/bash
# An interface that is renamed while it is up, as Linux allows it since 6.2, to a name that BIRD's "protocol direct" leaves out (interface -"cali*", "*"): BIRD 3.1.8 (trixie) keeps the route
# of its network for good, on an interface that nobody has any more, through scans and "configure", and when the interface is deleted. Neighbors go on hearing of it. BIRD 2.0.12 (bookworm)
# and 2.17.6 (trixie) take it away at once. A new name that is not left out is followed by all three; so is one that is given while the interface is down.
# Guess before: as with the name that is not left out.
# Seen with Linux 6.18.44, routes of "direct" before, 12 s after it was renamed (scans every 5 s), after "configure", after the interface was deleted: 2.0.12-7 and 2.17.6 "ens7 - - -",
# 3.1.8 "ens7 ens7 ens7 ens7".
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
protocol device { scan time 5; }
protocol direct { ipv4; interface -"cali*", "*"; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
on() { local name; name=$(ask show route 192.0.2.0/24 | awk '$1 == "dev" { print $2 }'); echo "${name:--}"; }
try() {
  version=$1
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  ip link add ens7 type veth peer name far
  ip link set far up
  ip addr add 192.0.2.1/24 dev ens7
  ip link set ens7 up
  for _ in $(seq 60); do [ "$(on)" = ens7 ] && break; sleep 0.5; done
  before=$(on)
  ip link set ens7 name cali7
  sleep 12
  renamed=$(on)
  ask configure >/dev/null
  sleep 2
  configured=$(on)
  ip link del cali7
  sleep 7
  echo "$version: $before $renamed $configured $(on)"
  kill $bird
  wait $bird
}
export -f ask on try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: ens7 - - -" "$dir/seen" || differs $version; done
grep -qx '3.1.8: ens7 ens7 ens7 ens7' "$dir/seen" || differs 3.1.8

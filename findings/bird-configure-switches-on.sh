#!/bin/bash
# "configure" switches on what is switched off, with a file that has not changed, also "configure soft": a session that somebody has switched off by "birdc
# disable" for maintenance, and one that BIRD has given up since another process had port 179 when it started ("No listening socket"). Where another
# program reconfigures BIRD, a "disable" lasts until something in the cluster changes. Neither time nor "restart" ("already disabled") does it.
# Guess before: "disable" lasts until "enable" or a restart of BIRD, and so does a session that was given up.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie): the given up session is "down" with the port taken, "down" 10 s after it is free, "down" after
# restart, "start" after configure; then "down" after disable, "down" after configure check, "start" after configure, "down" and "start" with configure soft.
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
protocol device {}
protocol bgp one { local 127.0.0.1 as 65001; neighbor 127.0.0.2 as 65001; multihop; passive; ipv4; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null; }
state() { ask show protocols one | awk '$1 == "one" { print $4 }'; }
after() { ask "$@" >/dev/null; sleep 3; state; }
listens() { ss -Hltn 'sport = 179' | grep -q .; }
try() {
  version=$1
  ip link set lo up
  # Another BIRD has the port first.
  sed 's/one { local 127.0.0.1/earlier { local 127.0.0.3/; s/^router id .*/router id 192.0.2.3;/' "$dir/conf" >"$dir/other"
  (with "$version" bird -f -c "$dir/other" -s "$dir/other.ctl") >"$dir/other.log" 2>&1 & other=$!
  for _ in $(seq 60); do listens && break; sleep 0.5; done
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do [ "$(state)" = down ] && break; sleep 0.5; done
  given_up=$(state)
  kill $other
  wait $other
  sleep 10
  listens && echo "$version: somebody listens"
  echo "$version: $given_up $(state) $(after restart one) $(after configure)," \
    "$(after disable one) $(after configure check) $(after configure), $(after disable one) $(after configure soft)"
  kill $bird
  wait $bird
}
export -f ask state after listens try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: down down down start, down down start, down start" "$dir/seen" || differs $version; done

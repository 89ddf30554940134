#!/bin/bash
# "disable" and "restart" of a BIRD protocol for a range of neighbors (dynamic BGP) answer "disabled" and "restarted", and no session of the range ends: each
# runs as a protocol of its own. Worse where one of these is disabled: BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) keep its neighbor out, as with one that is
# configured by address; with BIRD 3.1.8 (trixie) the neighbor is back within seconds as the next protocol of the range, with all its routes. So nothing
# in birdc keeps such a neighbor of 3.1.8 away while the range is enabled; it takes "disable" of the range first, and of the session then.
# Guess before: what is disabled is down with all that has come of it, and a disabled session stays down.
# Seen, sessions that are up at the start, after disable of the range, after its enable and restart, and 8 s after disable of the session: 2.0.12 and 2.17.6
# "one; one; one; none", 3.1.8 "one; one; one; two"; after disable of the range and of what is up then, "none" with all.
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
protocol bgp rack { local 127.0.0.1 port 1790 as 65001; neighbor range 127.0.1.0/24 as 65002; dynamic name "from"; multihop; passive; strict bind on; ipv4 { import all; export none; }; }
END
cat >"$dir/neighbor" <<'END'
router id 192.0.2.2;
protocol device {}
protocol bgp up { local 127.0.1.17 as 65002; neighbor 127.0.0.1 port 1790 as 65001; multihop; connect delay time 1; connect retry time 1; error wait time 1, 1; ipv4 { import none; export none; }; }
END
ask() { (with "$version" birdcl -s "$dir/ctl" "$@") 2>/dev/null; }
up() { # the sessions' own names, in words
  local names
  names=$(ask show protocols | awk '/^from.*Established/ { print $1 }' | sed 's/from1/one/; s/from2/two/' | paste -sd ' ')
  echo "${names:-none}"
}
try() {
  version=$1
  ip link set lo up
  (with "$version" bird -f -c "$dir/conf" -s "$dir/ctl") >"$dir/log" 2>&1 & bird=$!
  (with 2.0.12 bird -f -c "$dir/neighbor" -s "$dir/neighbor.ctl") >"$dir/log" 2>&1 & neighbor=$!
  for _ in $(seq 60); do [ "$(up)" = one ] && break; sleep 0.5; done
  start=$(up)
  ask disable rack | grep -q 'rack: disabled' || echo "$version: not disabled"
  sleep 8
  disabled=$(up)
  ask enable rack >/dev/null
  ask restart rack >/dev/null
  sleep 8
  restarted=$(up)
  ask disable from1 >/dev/null
  sleep 8
  session=$(up)
  ask disable rack >/dev/null
  [ "$session" = none ] || ask disable from2 >/dev/null
  sleep 8
  echo "$version: $start; $disabled; $restarted; $session; $(up)"
  kill $bird $neighbor
  wait $bird $neighbor
}
export -f ask up try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: one; one; one; none; none" "$dir/seen" || differs $version; done
grep -qx '3.1.8: one; one; one; two; none' "$dir/seen" || differs 3.1.8

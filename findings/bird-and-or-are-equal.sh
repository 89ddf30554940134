#!/bin/bash
# In BIRD's filters "&&" does not bind tighter than "||": both are of one rank, and are taken from left to right. So "a || b && c" is "(a || b) && c", where C, Go, the
# shell's arithmetic and SQL mean "a || (b && c)". A rule "if internal || net ~ ours && ready then accept" rejects what is internal as long as it is not ready. Neither
# "bird -p" nor a log says a word, and 3.1.8 (trixie) is as 2.0.12-7 (bookworm) and 2.17.6 (trixie) are. (Arithmetic has the usual ranks.)
# Guess before: as in C.
# Seen with all: "true || true && false" is FALSE, "true || (true && false)" TRUE, "false && false || true" TRUE, "1 + 2 * 3" 7; and of a route that an import filter
# takes "if true || true && false", none.
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
protocol device { }
protocol static { ipv4 { import filter { if true || true && false then accept; reject; }; }; route 198.51.100.0/24 blackhole; }
protocol static { ipv4 { import filter { if true || (true && false) then accept; reject; }; }; route 203.0.113.0/24 blackhole; }
END
ask() { (with "$version" birdcl -s "$dir/$version.ctl" "$@") 2>/dev/null | grep -v ready; }
try() {
  version=$1
  (with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do ask show route | grep -q 203.0.113.0/24 && break; sleep 0.5; done
  said=$(for text in 'true || true && false' 'true || (true && false)' 'false && false || true' '1 + 2 * 3'; do ask eval "$text"; done | xargs)
  echo "$version: $said, $(ask show route | grep -c blackhole)"
  kill $bird
  wait $bird
}
export -f ask try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: FALSE TRUE TRUE 7, 1" "$dir/seen" || differs $version; done

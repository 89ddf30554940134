#!/bin/bash
# For BIRD's filters, the interface of a route that leads to none (a blackhole) is defined, and the empty string: "defined(ifname)" is true, and
# "ifname ~ "*"" matches. A rule that is to be for "any interface" is for blackholes as well, and so for the blocks that a Calico node announces.
# Expected: a route without an interface has no ifname, and matches no pattern. Seen: 2.0.12, 2.17.6 and 3.1.8 match "*" and "", and not "?*".
set -u
work=$(mktemp -d)
cleanup() { for p in "$work"/*.pid; do [ -e "$p" ] && kill "$(cat "$p")"; done 2>/dev/null; rm -rf "$work"; }
trap cleanup EXIT
changed() { echo "changed: $*"; exit 1; }

# unpack FOLDER SUITE PACKAGE...: from the mirror that apt uses, into a folder; nothing is installed.
unpack() {
  local to=$work/$1 suite=$2 apt=$work/apt-$1 mirror options
  shift 2
  mkdir -p "$to" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/get"
  : >"$apt/status"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  echo "deb $mirror $suite main" >"$apt/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o "Dir::State::status=$apt/status" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${options[@]}" update >/dev/null && (cd "$apt/get" && apt-get "${options[@]}" download "$@" >/dev/null) || { echo "cannot fetch: $*"; exit 2; }
  for package in "$apt/get"/*.deb; do dpkg -x "$package" "$to"; done
}

# run FOLDER PROGRAM ARGUMENT...: with the libraries that came with it.
run() {
  local root=$work/$1 program=$2 loader
  shift 2
  loader=$(find "$root" -name 'ld-linux-*.so.2' | head -n 1)
  "$loader" --library-path "$(find "$root" -type d -path '*lib/*-linux-gnu' | paste -sd:)" "$root/usr/sbin/$program" "$@"
}

old=(libc6 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3 libreadline8 libtinfo6)
new=(libc6 libssh-4 libssl3t64 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libreadline8t64 libtinfo6)
unpack 2.0.12 bookworm bird2=2.0.12-7 "${old[@]}"
unpack 2.17.6 trixie bird2=2.17.6-0+deb13u1 "${new[@]}"
unpack 3.1.8 trixie bird3=3.1.8-0+deb13u1 "${new[@]}"

cat >"$work/1.conf" <<END
router id 10.0.0.1;
protocol device {}
protocol static { ipv4; route 10.9.0.0/24 blackhole; }
END
# matches VERSION CONDITION: whether a filter with it lets the route through.
matches() { run "$1" birdc -s "$work/$1.ctl" show route filter "{ if $2 then accept; reject; }" 2>/dev/null | grep -q 10.9.0.0/24; }

for version in 2.0.12 2.17.6 3.1.8; do
  run $version bird -c "$work/1.conf" -s "$work/$version.ctl" -P "$work/$version.pid" || changed "$version does not start"
  for _ in $(seq 60); do
    matches $version true && break
    sleep 0.5
  done
  matches $version true || changed "$version has no route"
  matches $version 'defined(ifname)' || changed "$version: ifname is not defined"
  matches $version 'ifname ~ "*"' || changed "$version: ifname does not match *"
  matches $version 'ifname ~ "?*"' && changed "$version: ifname matches ?*"
  matches $version 'ifname = ""' || changed "$version: ifname is not empty"
  echo "$version: ifname of a blackhole is defined, is empty, and matches \"*\""
done

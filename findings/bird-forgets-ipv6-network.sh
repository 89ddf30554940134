#!/bin/bash
# BIRD forgets an IPv6 network that its machine is in, when one of several addresses in it is removed from the interface: "protocol direct" takes its
# one route for the network away with any address. The kernel still has the network. Reconfiguring or a rescan does not bring it back; a second route
# to the network in the kernel, which "learn" imports, takes its place at once. BIRD 2.0.12 (bookworm), 2.17.6 and 3.1.8 (trixie).
# Seen, of all three: "direct" with both addresses, "none" after one was removed, "none" after configure, "kernel" with the second route.
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

cat >"$work/bird.conf" <<'END'
router id 192.0.2.1;
protocol device { scan time 1; }
protocol direct direct_ { ipv6; }
protocol kernel kernel_ { learn; scan time 1; ipv6 { import all; export none; }; }
END

# who VERSION: the protocol whose route to the network BIRD uses.
who() {
  sleep 3
  local found=$(run "$1" birdc -s "$work/$1.ctl" show route 2001:db8:7::/64 2>/dev/null | grep -oE '\[(direct|kernel)_' | head -n 1)
  case $found in '[direct_') echo direct ;; '[kernel_') echo kernel ;; *) echo none ;; esac
}
inside() {
  ip link set lo up
  ip link add v0 type veth peer name v1
  ip link set v0 up
  ip link set v1 up
  ip addr add 2001:db8:7::1/64 dev v0 nodad
  for version in 2.0.12 2.17.6 3.1.8; do
    ip addr add 2001:db8:7::100/64 dev v0 nodad
    run $version bird -c "$work/bird.conf" -s "$work/$version.ctl" -P "$work/$version.pid" 2>/dev/null
    both=$(who $version)
    ip addr del 2001:db8:7::100/64 dev v0
    one=$(who $version)
    run $version birdc -s "$work/$version.ctl" configure >/dev/null
    configured=$(who $version)
    ip -6 route add 2001:db8:7::/64 dev v0 proto static metric 100000
    second=$(who $version)
    ip -6 route del 2001:db8:7::/64 dev v0 proto static metric 100000
    ip -6 route show 2001:db8:7::/64 dev v0 | grep -q 'proto kernel' || changed "the kernel forgets the network, too"
    kill "$(cat "$work/$version.pid")"
    echo "$version: $both, $one, $configured, $second"
    [ "$both, $one, $configured, $second" = 'direct, none, none, kernel' ] || changed "$version"
  done
}
export work
export -f run changed who inside
unshare -rn bash -c inside || exit 1

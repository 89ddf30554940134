#!/bin/bash
# BFD is switched off at one end of a BGP session, by "birdc disable" of BIRD's "protocol bfd", or by a configuration without "bfd on", which that end takes over without a restart
# of the session: it just stops to send, and does not say that it does so on purpose (AdminDown of RFC 5880, upon which a neighbor has to leave BGP alone, RFC 5882). So the other end finds
# it dead a moment later, and ends the BGP session; the first one has it as "Received: Cease". Then the session comes up again without BFD. So BFD leaves a session quietly only at both
# ends within the detection time. Switching it on costs nothing. BIRD 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie), two of a kind.
# Guess before: AdminDown, and the session stays up.
# Seen of all, sessions that come up at the other end after: disable of protocol bfd, enable, configure without "bfd on", configure with it: "1 0 1 0".
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

conf() { # conf END [BFD]: the file of an end, 1 or 2
  cat <<END
log stderr all;
router id 192.0.2.$1;
protocol device {}
protocol bfd liveness { interface "*" { interval 100 ms; multiplier 3; }; }
protocol bgp up { local 192.0.2.$1 as 6500$1; neighbor 192.0.2.$((3 - $1)) as 6500$((3 - $1)); ${2:-} debug { events };
  connect delay time 1; connect retry time 1; error wait time 1, 1; ipv4 { import all; export none; }; }
END
}
ask() { (with "$version" birdcl -s "$dir/$1.ctl" "${@:2}") 2>/dev/null; }
bfd_up() { ask 1 show bfd sessions | grep 192.0.2 | grep -qw Up; }
await() { for _ in $(seq 100); do "$@" && break; sleep 0.2; done; "$@" || echo "not within 20 s: $*"; }
established() { ask 1 show protocols up | grep -q Established; }
# came_up COMMAND...: sessions that come up at end 1 when end 2 is told so.
came_up() {
  local before
  before=$(grep -c 'BGP session established' "$dir/log.1")
  ask 2 "$@" >/dev/null
  sleep 3
  await established
  echo $(($(grep -c 'BGP session established' "$dir/log.1") - before))
}
try() {
  version=$1
  unshare -n sleep 1000 & other=$!
  sleep 0.5
  ip link add near type veth peer name far
  ip link set far netns $other
  ip link set near up
  ip addr add 192.0.2.1/24 dev near
  nsenter -t $other -n ip link set far up
  nsenter -t $other -n ip addr add 192.0.2.2/24 dev far
  conf 1 'bfd on;' >"$dir/1"
  conf 2 'bfd on;' >"$dir/2"
  (with "$version" bird -f -c "$dir/1" -s "$dir/1.ctl" -P "$dir/1.pid") >"$dir/log.1" 2>&1 & first=$!
  nsenter -t $other -n bash -c 'with "$0" bird -f -c "$dir/2" -s "$dir/2.ctl" -P "$dir/2.pid"' "$version" >"$dir/log.2" 2>&1 & second=$!
  await established
  await bfd_up
  seen=$(came_up disable liveness)
  seen="$seen $(came_up enable liveness)"
  await bfd_up
  conf 2 >"$dir/2"
  seen="$seen $(came_up configure)"
  conf 2 'bfd on;' >"$dir/2"
  seen="$seen $(came_up configure)"
  await bfd_up
  echo "$version: $seen"
  kill $first $second $other
  wait $first $second $other
}
export -f conf ask bfd_up await established came_up try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version 2>/dev/null; done | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: 1 0 1 0" "$dir/seen" || differs $version; done

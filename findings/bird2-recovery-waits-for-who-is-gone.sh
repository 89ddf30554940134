#!/bin/bash
# BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie), started with -R: a session that the recovery from a graceful restart waits for is still waited for after
# "disable", and after a "configure" with a file that does not have it any more: nothing but "graceful restart wait" ends that, and the kernel gets no
# route meanwhile. BIRD 1.6.8 (bookworm) stops waiting for it at "disable".
# Guess before: "disable" ends the wait, as a session that is down has nothing to wait for.
# Seen, what is waited for at the start, after disable, after configure without it: 1.6.8 "1 0 0", 2.0.12 "1 1 1", 2.17.6 "1 1 1".
set -u
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
export T

# debian FOLDER RELEASE PACKAGE[=VERSION]...: unpacked into $T/FOLDER from the mirror that apt uses here; nothing is installed.
debian() {
  local to=$T/$1 suite=$2 a=$T/apt uri; shift 2
  rm -rf "$a"; mkdir -p "$a/lists/partial" "$a/cache/archives/partial" "$a/debs" "$to"; : >"$a/status"
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  echo "deb $uri $suite main" >"$a/list"
  local o=(-qq -o Dir::Etc::sourcelist="$a/list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$a/lists" -o Dir::Cache="$a/cache"
    -o Dir::State::status="$a/status" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${o[@]}" update >/dev/null && (cd "$a/debs" && apt-get "${o[@]}" download "$@" >/dev/null) || { echo "cannot fetch $*"; exit 2; }
  for d in "$a"/debs/*.deb; do dpkg -x "$d" "$to"; done
}
BOOKWORM_LIBS="libc6 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3"
TRIXIE_LIBS="libc6 libssh-4 libssl3t64 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g"
# from FOLDER PROGRAM ARGUMENT...: runs it with the libraries of its own release, so in its own process.
from() {
  local r=$T/$1 p=$2 l; shift 2
  for l in "$r"/lib/*/ld-linux-*.so.2 "$r"/usr/lib/*/ld-linux-*.so.2; do [ -e "$l" ] && break; done
  exec "$l" --library-path "${l%/*}:$(echo "$r"/usr/lib/*-linux-gnu "$r"/lib/*-linux-gnu | tr ' ' :)" "$r/usr/sbin/$p" "$@"
}
export -f from
debian 1.6.8 bookworm bird=1.6.8-2.1+b1 $BOOKWORM_LIBS
debian 2.0.12 bookworm bird2=2.0.12-7 $BOOKWORM_LIBS
debian 2.17.6 trixie bird2=2.17.6-0+deb13u1 $TRIXIE_LIBS
fail() { echo "changed: $*"; exit 1; }

conf() { # conf VERSION SESSION...
  local options="graceful restart on; ipv4;" v=$1; shift
  [ "$v" = 1.6.8 ] && options="graceful restart;"
  printf 'log stderr all;\nrouter id 10.0.0.1;\ngraceful restart wait 100;\nprotocol device {}\n' >"$T/conf"
  for s in "$@"; do echo "protocol bgp $s { local as 64512; neighbor 192.0.2.2 as 64512; multihop; $options }" >>"$T/conf"; done
}
tell() { (from 2.0.12 birdcl -s "$T/ctl.$v" "$@") 2>/dev/null; }
waiting() { local n; n=$(tell show status | sed -nE 's/.*Waiting for ([0-9]+) (channels|protocols).*/\1/p'); echo "${n:-0}"; }
export -f conf tell waiting

run() {
  ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip addr add 192.0.2.1/24 dev v0
  for v in 1.6.8 2.0.12 2.17.6; do
    conf $v away
    (from $v bird -R -f -c "$T/conf" -s "$T/ctl.$v" -P "$T/pid.$v") >"$T/log.$v" 2>&1 & p=$!
    for _ in $(seq 50); do tell show status | grep -q running && break; sleep 0.2; done
    a=$(waiting); tell disable away >/dev/null; sleep 1; b=$(waiting)
    conf $v; tell configure >/dev/null; sleep 2; c=$(waiting)
    echo "$v: $a $b $c"
    kill $p; wait $p
  done
}
export -f run; unshare -rn bash -c run | tee "$T/seen"
grep -qx '1.6.8: 1 0 0' "$T/seen" || fail 1.6.8
grep -qx '2.0.12: 1 1 1' "$T/seen" || fail 2.0.12
grep -qx '2.17.6: 1 1 1' "$T/seen" || fail 2.17.6

#!/bin/bash
# BIRD 3.1.8 (trixie): a graceful restart (killed, started with -R, the kernel's routes with "persist") changes nothing in the end, and yet the kernel's
# routes are deleted and added again: with "merge paths on" all of the restarted BIRD's, its own static ones too, at the end of recovery; and on its peer,
# where the kernel's export filter sets krt_metric, those that come from it, when it tells them again. For a moment the kernel has no route.
# BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) leave them alone, on both sides.
# Guess before: as in BIRD 2, what is the same as before is not written to the kernel.
# Seen, routes deleted from the kernel of the restarted one, and of its peer: 2.0.12 "0 0", 2.17.6 "0 0", 3.1.8 "2 1".
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
debian 2.0.12 bookworm bird2=2.0.12-7 $BOOKWORM_LIBS
debian 2.17.6 trixie bird2=2.17.6-0+deb13u1 $TRIXIE_LIBS
debian 3.1.8 trixie bird3=3.1.8-0+deb13u1 $TRIXIE_LIBS
fail() { echo "changed: $*"; exit 1; }

conf() { # conf N: of 192.0.2.N, whose neighbor is the other of 1 and 2
  cat >"$T/conf$1" <<E
log stderr all;
router id 10.0.0.$1;
protocol device { scan time 1; }
protocol direct { ipv4; }
protocol static { ipv4; route 198.51.10$1.0/24 blackhole; }
filter kernel_export { if proto = "direct1" then reject; if source = RTS_BGP then krt_metric = 1024; accept; }
protocol kernel { scan time 1; persist; learn; graceful restart on; metric 0; merge paths on; ipv4 { import all; export filter kernel_export; }; }
protocol bgp session {
  local 192.0.2.$1 as 64512; neighbor 192.0.2.$((3 - $1)) as 64512; graceful restart on; connect delay time 1;
  ipv4 { next hop self; import all; export where source = RTS_STATIC; };
}
E
}
start() { # start N FLAG...: BIRD on the side N
  local n=$1; shift
  (from $v bird -f "$@" -c "$T/conf$n" -s "$T/ctl$n" -P "$T/pidfile$n") >"$T/log$n" 2>&1 & echo $! >"$T/pid$n"
}
up() { for _ in $(seq 100); do ip route show proto bird | grep -q via && return; sleep 0.2; done; echo "no route"; } # the other's route is in the kernel
watch() { ip monitor route >"$T/seen$1" & echo $! >"$T/watch$1"; }
other() { nsenter -t "$(cat "$T/ns")" -n bash -c "$*"; }
export -f conf start up watch

run() {
  unshare -n sleep 1000 & echo $! >"$T/ns"; sleep 1
  ip link set lo up; ip link add v1 type veth peer name v2 netns "$(cat "$T/ns")"
  ip addr add 192.0.2.1/24 dev v1; ip link set v1 up; other "ip link set lo up; ip addr add 192.0.2.2/24 dev v2; ip link set v2 up"
  for v in 2.0.12 2.17.6 3.1.8; do
    export v; conf 1; conf 2; start 1; other start 2; up; other up; sleep 2
    watch 1; other watch 2
    kill -9 "$(cat "$T/pid1")"; sleep 2; start 1 -R; sleep 8
    echo "$v: $(grep -c Deleted "$T/seen1") $(grep -c Deleted "$T/seen2")"
    kill -9 "$(cat "$T/pid1")" "$(cat "$T/pid2")" "$(cat "$T/watch1")" "$(cat "$T/watch2")"
    ip route flush proto bird; other ip route flush proto bird; sleep 1
  done
  kill "$(cat "$T/ns")"
}
export -f run other; unshare -rn bash -c run 2>/dev/null | tee "$T/seen"
grep -qx '2.0.12: 0 0' "$T/seen" || fail 2.0.12
grep -qx '2.17.6: 0 0' "$T/seen" || fail 2.17.6
grep -qx '3.1.8: 2 1' "$T/seen" || fail 3.1.8

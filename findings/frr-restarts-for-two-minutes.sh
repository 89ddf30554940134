#!/bin/bash
# FRR 8.4.4 (bookworm) says in each OPEN of its first 120 s that it is restarting (the R bit of the graceful restart capability, RFC 4724), though nobody has
# spoken with it before and though its own "restart-time" is 10 s; afterwards it does not. BIRD 2.0.12-7 (bookworm) shows it as "Restart recovery".
# It matters where BIRD was started with -R: it does not wait for a neighbor that restarts, so an FRR of these two minutes gets BIRD's End-of-RIB, and drops
# its stale routes, before BIRD has the routes of its other neighbors.
# Guess before: the bit is there for restart-time after a start, 10 s here.
# Seen: 30 s after FRR's start "Restart recovery", 125 s after it not.
set -u
work=$(mktemp -d)
export work
cleanup() { rm -rf "$work"; }
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
# One small system with both, entered with chroot, so that FRR finds its libraries and its group.
unpack root bookworm frr=8.4.4-1.1~deb12u2 bird2=2.0.12-7 libc6 libcap2 libcrypt1 libjson-c5 libpam0g libaudit1 libcap-ng0 libreadline8 libtinfo6 libyang2 \
  libpcre2-8-0 libc-ares2 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3
root=$work/root
export root
mkdir -p "$root"/{run,dev,proc,etc,usr/share/yang}
echo 'root:x:0:0::/:/bin/false' >"$root/etc/passwd"
printf 'root:x:0:\nfrrvty:x:102:root\n' >"$root/etc/group"
cat >"$root/run/frr.conf" <<'END'
router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp graceful-restart restart-time 10
 neighbor 127.0.0.1 remote-as 65001
 neighbor 127.0.0.1 port 1179
 neighbor 127.0.0.1 update-source 127.0.0.2
 neighbor 127.0.0.1 passive
 neighbor 127.0.0.1 disable-connected-check
END
cat >"$root/run/bird.conf" <<'END'
router id 10.0.0.1;
protocol device {}
protocol bgp p {
  local 127.0.0.1 port 1179 as 65001; neighbor 127.0.0.2 port 2179 as 65002; multihop; strict bind on; graceful restart on;
  connect delay time 1; connect retry time 1; ipv4 { import all; export none; };
}
END
# look SECONDS: how FRR's capability looks to a BIRD that starts so long after it.
look() {
  sleep $(($1 - SECONDS))
  chroot "$root" /usr/sbin/bird -f -c /run/bird.conf -s /run/bird.ctl -P /run/bird.pid >/dev/null 2>&1 & bird=$!
  for _ in $(seq 50); do
    text=$(chroot "$root" /usr/sbin/birdcl -s /run/bird.ctl show protocols all p 2>/dev/null)
    grep -q 'BGP state: *Established' <<<"$text" && break
    sleep 0.2
  done
  grep -q 'BGP state: *Established' <<<"$text" || echo "no session"
  neighbor=$(sed -n '/Neighbor capabilities/,/Session:/p' <<<"$text")
  grep -q 'Graceful restart' <<<"$neighbor" || echo "no graceful restart"
  echo "$1 s: $(grep -c 'Restart recovery' <<<"$neighbor")"
  kill -9 $bird; wait $bird
}
experiment() {
  mount --rbind /dev "$root/dev"; mount --rbind /proc "$root/proc"; ip link set lo up
  chroot "$root" /usr/lib/frr/bgpd -u root -g root --vty_socket /run -Z -i /run/frr.pid -f /run/frr.conf -p 2179 -l 127.0.0.2 >"$work/log" 2>&1 & frr=$!
  SECONDS=0
  look 30
  look 125
  kill $frr; wait $frr
}
export -f look experiment
unshare -rnm bash -c experiment 2>/dev/null | tee "$work/seen"
grep -qx '30 s: 1' "$work/seen" || changed 'at 30 s'
grep -qx '125 s: 0' "$work/seen" || changed 'at 125 s'

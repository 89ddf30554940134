#!/bin/bash
# BIRD 1.6.8 (bookworm) puts its own AS number into the path of what an external peer is told before it asks the export filter, BIRD 2.0.12 (bookworm) after: the same
# "bgp_path.prepend(65010)" makes 65010 65001 of the one and 65001 65010 of the other, and a filter that asks how the path starts sees 65001 first in 1.6 alone.
# FRR 10.3 (trixie), where "bgp enforce-first-as" is on unless it is switched off, drops the first without a word to the peer: the session stays up, and for BIRD 1.6
# the route is exported.
# It matters to who moves from BIRD 1.6 to 2 or back with filters that prepend or ask for a path, and whose router is upgraded.
# Guess before: a path on the wire starts with the sender's own AS number, whatever the filter prepends, in all versions.
# Seen: FRR has "65001 65010" from BIRD 2.0.12; from 1.6.8 it has only the route that the filter leaves alone, and BIRD counts both as exported.
set -u
work=$(mktemp -d)
export work
cleanup() { rm -rf "$work"; }
trap cleanup EXIT
changed() { echo "changed: $*"; exit 1; }

# unpack FOLDER SUITE PACKAGE...: from the mirror that apt uses, into a folder that is entered with chroot; nothing is installed.
unpack() {
  local to=$work/$1 suite=$2 apt=$work/apt-$1 mirror options
  shift 2
  mkdir -p "$to"/{run,dev,proc,usr/lib,usr/lib64,usr/share/yang,etc/pam.d} "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/get"
  [ "$suite" != trixie ] || { ln -s usr/lib "$to/lib"; ln -s usr/lib64 "$to/lib64"; } # its packages have all below /usr
  : >"$apt/status"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  echo "deb $mirror $suite main" >"$apt/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
    -o "Dir::State::status=$apt/status" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  apt-get "${options[@]}" update >/dev/null && (cd "$apt/get" && apt-get "${options[@]}" download "$@" >/dev/null) || { echo "cannot fetch: $*"; exit 2; }
  for package in "$apt/get"/*.deb; do dpkg -x "$package" "$to"; done
}
unpack bird1 bookworm bird=1.6.8-2.1+b1 libc6 libreadline8 libtinfo6
unpack bird2 bookworm bird2=2.0.12-7 libc6 libreadline8 libtinfo6 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 \
  libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3
unpack frr trixie frr=10.3-3+deb13u1 libc6 libcap2 libcares2 libcrypt1 libjson-c5 liblua5.3-0 libpam0g libpam-modules libselinux1 libaudit1 libcap-ng0 \
  libprotobuf-c1 libreadline8t64 libtinfo6 libunwind8 libyang3 libpcre2-8-0 liblzma5 libxxhash0 libgcc-s1 libzstd1 zlib1g
echo 'root:x:0:0::/:/bin/false' >"$work/frr/etc/passwd"
printf 'root:x:0:\nfrrvty:x:102:root\n' >"$work/frr/etc/group"
printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\n' >"$work/frr/etc/pam.d/frr"
cat >"$work/frr/run/frr.conf" <<'END'
router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 neighbor 10.0.0.1 remote-as 65001
 neighbor 10.0.0.1 port 1179
 neighbor 10.0.0.1 update-source 10.0.0.2
 neighbor 10.0.0.1 passive
 neighbor 10.0.0.1 disable-connected-check
END
told='router id 10.0.0.1; protocol device {} filter told { if net = 10.1.0.0/16 then bgp_path.prepend(65010); accept; }'
cat >"$work/bird1/run/bird.conf" <<END
$told
listen bgp address 10.0.0.1 port 1179;
protocol static { route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; }
protocol bgp p { local as 65001; source address 10.0.0.1; neighbor 10.0.0.2 port 2179 as 65002; multihop; connect delay time 1; connect retry time 1; export filter told; }
END
cat >"$work/bird2/run/bird.conf" <<END
$told
protocol static { ipv4; route 10.1.0.0/16 blackhole; route 10.2.0.0/16 blackhole; }
protocol bgp p { local 10.0.0.1 port 1179 as 65001; strict bind on; neighbor 10.0.0.2 port 2179 as 65002; multihop; connect delay time 1; connect retry time 1;
  ipv4 { import none; export filter told; }; }
END
# tell BIRD: what FRR has of a BIRD's two routes, once it has the one that nothing was done to.
tell() {
  chroot "$work/frr" /usr/lib/frr/bgpd -u root -g root --vty_socket /run -Z -i /run/frr.pid -f /run/frr.conf -p 2179 -l 10.0.0.2 >"$work/log" 2>&1 & frr=$!
  chroot "$work/$1" /usr/sbin/bird -f -c /run/bird.conf -s /run/bird.ctl -P /run/bird.pid >/dev/null 2>&1 & bird=$!
  for _ in $(seq 150); do
    table=$(chroot "$work/frr" /usr/bin/vtysh --vty_socket /run -c 'show bgp ipv4' 2>/dev/null)
    grep -q '10\.2\.0\.0/16' <<<"$table" && break
    sleep 0.2
  done
  sleep 2
  table=$(chroot "$work/frr" /usr/bin/vtysh --vty_socket /run -c 'show bgp ipv4' 2>/dev/null)
  echo "$1 has exported:$(echo 'show protocols all p' | chroot "$work/$1" /usr/sbin/birdc -s /run/bird.ctl | sed -n 's/.* \([0-9]*\) exported.*/ \1/p')"
  sed -n "s#.* \(10\.[12]\.0\.0/16\) .* 0 \(65.*\) i\$#$1: \1 by \2#p" <<<"$table"
  kill -9 $bird $frr; wait $bird $frr
}
experiment() {
  mount --rbind /dev "$work/frr/dev"; mount --rbind /proc "$work/frr/proc"
  ip link set lo up; ip addr add 10.0.0.1/24 dev lo; ip addr add 10.0.0.2/24 dev lo
  tell bird1
  tell bird2
}
export -f tell experiment
unshare -rnm bash -c experiment 2>/dev/null | tee "$work/seen"
diff - "$work/seen" <<'END' || changed 'what FRR has'
bird1 has exported: 2
bird1: 10.2.0.0/16 by 65001
bird2 has exported: 2
bird2: 10.1.0.0/16 by 65001 65010
bird2: 10.2.0.0/16 by 65001
END

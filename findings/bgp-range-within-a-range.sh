#!/bin/bash
# Two dynamic BGP sessions (ranges of neighbors) of which one range lies within the other, a rack within a network: which one a neighbor in both gets is another
# one from daemon to daemon. BIRD takes the last one of the file, FRR the first one, GoBGP the most specific one (as OpenBGPD 7.7 and 8.8 do, not tried
# here). So a file of BIRD in which the general range stands last takes the racks' filters out of use, and one of FRR in which it stands first.
# Where BIRD's have passwords it is the kernel that chooses the password, that of the most specific range, whichever protocol BIRD takes.
# Guess before: the most specific range, as with routes, and the password of the one that is taken.
# Seen, with the wide range first and last: BIRD 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie) "narrow wide", FRR 8.4.4 (bookworm; 10.3 of trixie, not
# tried here, is the same) "wide narrow", GoBGP v3.37.0 "narrow narrow"; BIRD with passwords, for a neighbor with the narrow one's "narrow wide", with the wide
# one's "none none".
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
# FRR is entered with chroot, so that it finds its libraries and its group.
packages frr bookworm frr=8.4.4-1.1~deb12u2 libc6 libcap2 libcrypt1 libjson-c5 libpam0g libaudit1 libcap-ng0 libreadline8 libtinfo6 libyang2 libpcre2-8-0 libc-ares2
mkdir -p "$dir"/frr/{run,dev,proc,etc,usr/share/yang}
echo 'root:x:0:0::/:/bin/false' >"$dir/frr/etc/passwd"
printf 'root:x:0:\nfrrvty:x:102:root\n' >"$dir/frr/etc/group"
for c in gobgpd gobgp; do GOBIN=$dir go install github.com/osrg/gobgp/v3/cmd/$c@v3.37.0 >"$dir/log" 2>&1 || { echo "cannot fetch GoBGP"; exit 2; }; done

range() { [ "$1" = wide ] && echo 192.0.2.0/24 || echo 192.0.2.16/28; }
# The daemons, each with the ranges in the order given.
start_bird() { # VERSION RANGE RANGE
  { printf 'router id 192.0.2.1;\nprotocol device {}\n'
    for r in "${@:2}"; do
      echo "protocol bgp $r { local 192.0.2.1 port 1790 as 65001; neighbor range $(range "$r") as 65002; dynamic name \"from_${r}_\"; multihop; passive; strict bind on;"
      echo "${passwords:+password \"of_$r\";} ipv4 { import all; export none; }; }"
    done; } >"$dir/bird"
  (with "$1" bird -f -c "$dir/bird" -s "$dir/bird.ctl") >"$dir/log" 2>&1 & daemon=$!
  says() { (with "$1" birdcl -s "$dir/bird.ctl" show protocols) 2>/dev/null | sed -n 's/^from_\([a-z]*\)_.*Established.*/\1/p'; }
}
start_frr() {
  { printf 'router bgp 65001\n bgp router-id 192.0.2.1\n'
    for r in "${@:2}"; do printf ' neighbor %s peer-group\n neighbor %s remote-as 65002\n neighbor %s ebgp-multihop 9\n' "$r" "$r" "$r"; done
    for r in "${@:2}"; do echo " bgp listen range $(range "$r") peer-group $r"; done; } >"$dir/frr/run/frr.conf"
  chroot "$dir/frr" /usr/lib/frr/bgpd -f /run/frr.conf -n -S -Z -p 1790 --vty_socket /run -i /run/frr.pid -P 0 -u root -g root >"$dir/log" 2>&1 & daemon=$!
  says() { # FRR's own client would ask PAM
    python3 - "$dir/frr/run/bgpd.vty" 'show bgp neighbors 192.0.2.17' 2>/dev/null <<'PYTHON' | sed -n 's/.*Member of peer-group \([a-z]*\) .*/\1/p'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for command in ["enable", sys.argv[2]]:
    s.sendall(command.encode() + b"\0")
    got = b""
    while got[-4:-1] != b"\0\0\0":
        got += s.recv(4096)
print(got.decode())
PYTHON
  }
}
start_gobgp() {
  { printf '[global.config]\nas = 65001\nrouter-id = "192.0.2.1"\nport = 1790\nlocal-address-list = ["192.0.2.1"]\n'
    for r in "${@:2}"; do
      printf '[[peer-groups]]\n[peer-groups.config]\npeer-group-name = "%s"\npeer-as = 65002\n[peer-groups.ebgp-multihop.config]\nenabled = true\n' "$r"
    done
    for r in "${@:2}"; do printf '[[dynamic-neighbors]]\n[dynamic-neighbors.config]\nprefix = "%s"\npeer-group = "%s"\n' "$(range "$r")" "$r"; done; } >"$dir/gobgp.toml"
  "$dir/gobgpd" -f "$dir/gobgp.toml" --api-hosts 127.0.0.1:50051 >"$dir/log" 2>&1 & daemon=$!
  says() { "$dir/gobgp" neighbor 192.0.2.17 -j 2>/dev/null | sed -n 's/.*"peer_group": *"\([a-z]*\)".*/\1/p'; }
}
# taken DAEMON VERSION PASSWORD RANGE RANGE: the range in which the neighbor's session is.
taken() {
  local daemon neighbor answer=
  "start_$1" "$2" "${@:4}"
  printf 'router id 192.0.2.17;\nprotocol device {}\nprotocol bgp up { local 192.0.2.17 as 65002; neighbor 192.0.2.1 port 1790 as 65001; multihop; %s
    connect delay time 1; connect retry time 1; error wait time 1, 1; ipv4 { import none; export none; }; }' "${3:+password \"of_$3\";}" >"$dir/neighbor"
  (with 2.0.12 bird -f -c "$dir/neighbor" -s "$dir/neighbor.ctl") >"$dir/neighbor.log" 2>&1 & neighbor=$!
  for _ in $(seq 20); do
    sleep 0.5
    (with 2.0.12 birdcl -s "$dir/neighbor.ctl" show protocols up) 2>/dev/null | grep -q Established && answer=$(says "$2") && [ -n "$answer" ] && break
  done
  echo "${answer:-none}"
  kill "$neighbor" "$daemon"
  wait "$neighbor" "$daemon"
}
# try DAEMON VERSION [PASSWORD]
try() {
  ip link set lo up
  ip addr add 192.0.2.1/32 dev lo
  ip addr add 192.0.2.17/32 dev lo
  export passwords=${3:-}
  echo "$*: $(taken "$1" "$2" "${3:-}" wide narrow) $(taken "$1" "$2" "${3:-}" narrow wide)"
}
export -f range start_bird start_frr start_gobgp taken try
expect() { # WHAT WANTED
  local seen
  seen=$(unshare -rn bash -c "try $1" 2>/dev/null)
  echo "$seen"
  [ "$seen" = "$1: $2" ] || differs "$1"
}
for version in 2.0.12 2.17.6 3.1.8; do
  expect "bird $version" 'narrow wide'
  expect "bird $version narrow" 'narrow wide'
  expect "bird $version wide" 'none none'
done
expect 'frr 8.4.4' 'wide narrow'
expect 'gobgp 3.37.0' 'narrow narrow'

#!/bin/bash
# BIRD 2.0.12 (bookworm) takes "graceful restart time" above 4095 s, the most that fits into the 12 bits of the capability (RFC 4724, section 3),
# without a word. It shows the number as it was given as its own, and tells the neighbor what is left of it modulo 4096: of 5000 s the neighbor
# learns 904 s, and drops the routes that much earlier than whoever wrote it believes. 2.17.6 and 3.1.8 (trixie) refuse the file instead
# ("Graceful restart time must be less than 4096"), so that a configuration that ran for years does not load after an upgrade.
# Seen: 2.0.12: "Restart time: 5000" of its own, "Restart time: 904" at the neighbor; 2.17.6 and 3.1.8: an error of bird -p.
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

# speaker N SECONDS: one of two neighbors on the loopback interface.
speaker() {
  cat >"$work/$1.conf" <<END
router id 10.0.0.$1;
protocol device {}
protocol bgp neighbor_ {
  local 127.0.9.$1 port 17900 as 65000;
  neighbor 127.0.9.$((3 - $1)) port 17900 as 65000;
  multihop; strict bind on;
  connect delay time 1; connect retry time 1;
  graceful restart on; graceful restart time $2;
  ipv4 { import all; export all; };
}
END
}
speaker 1 5000
speaker 2 120

for version in 2.17.6 3.1.8; do
  said=$(run $version bird -p -c "$work/1.conf" 2>&1) && changed "$version takes 5000 s"
  echo "$version: ${said##*/}"
done
run 2.0.12 bird -p -c "$work/1.conf" || changed '2.0.12 refuses 5000 s'
for n in 1 2; do run 2.0.12 bird -c "$work/$n.conf" -s "$work/$n.ctl" -P "$work/$n.pid" & done
for _ in $(seq 60); do
  told=$(run 2.0.12 birdc -s "$work/2.ctl" show protocols all neighbor_ 2>/dev/null | sed -n '/Neighbor capabilities/,$s/^ *Restart time: //p')
  [ -n "$told" ] && break
  sleep 0.5
done
own=$(run 2.0.12 birdc -s "$work/1.ctl" show protocols all neighbor_ | sed -n '/Local capabilities/,/Neighbor capabilities/s/^ *Restart time: //p')
echo "2.0.12: own restart time ${own:-none}, as the neighbor knows it ${told:-none}"
[ "$own" = 5000 ] || changed "of its own it shows ${own:-none}"
[ "$told" = 904 ] || changed "the neighbor learns ${told:-none}"

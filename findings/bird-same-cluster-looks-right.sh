#!/bin/bash
# Two route reflectors of one cluster ID that have a plain session with each other (neither is the other's client, as Calico's are): BIRD looks for its
# cluster ID in a route's CLUSTER_LIST in sessions with clients alone. So the second reflector takes what the first one reflected, uses it and puts it
# into its kernel, and only tells its own clients nothing of it: on the reflector itself everything looks right.
# Expected: it drops the route when it comes, as RFC 4456, section 8 says. Seen: 2.0.12, 2.17.6 and 3.1.8 have the route on the second reflector, with its
# own cluster ID in CLUSTER_LIST, and not on its client.
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

# speaker N PEER,OPTIONS...: 1 is a client of 11, 2 one of 12; 11 and 12 are the reflectors.
speaker() {
  local n=$1 peer options
  shift
  {
    printf 'router id 10.0.0.%s;\nprotocol device {}\n' "$n"
    [ "$n" = 1 ] && echo 'protocol static { ipv4; route 10.128.1.0/26 blackhole; }'
    for peer in "$@"; do
      options=${peer#*,} peer=${peer%%,*}
      cat <<END
protocol bgp with_$peer {
  local 127.0.9.$n port 17900 as 65000; neighbor 127.0.9.$peer port 17900 as 65000;
  multihop; strict bind on; connect delay time 1; connect retry time 1; $options
  ipv4 { import all; export all; next hop keep; };
}
END
    done
  } >"$work/$n.conf"
}
client='rr client; rr cluster id 1.1.1.1;'
speaker 1 11,
speaker 11 "1,$client" 12,
speaker 12 "2,$client" 11,
speaker 2 12,

for version in 2.0.12 2.17.6 3.1.8; do
  for n in 1 11 12 2; do run $version bird -c "$work/$n.conf" -s "$work/$n.ctl" -P "$work/$n.pid"; done
  ask() { run $version birdc -s "$work/$1.ctl" "${@:2}" 2>/dev/null; }
  for _ in $(seq 60); do
    up=$(for n in 1 11 12 2; do ask $n show protocols; done | grep -c Established)
    [ "$up" = 6 ] && ask 12 show route 10.128.1.0/26 | grep -q with_11 && break
    sleep 0.5
  done
  sleep 2 # what is told is told at once
  list=$(ask 12 show route all 10.128.1.0/26 | sed -n 's/^.*cluster_list: *//p')
  echo "$version: the second reflector has the route with the cluster list ${list:-none}; its client: $(ask 2 show route 10.128.1.0/26 | tail -n 1)"
  [ "$list" = 1.1.1.1 ] || changed "$version: the second reflector has it with ${list:-nothing}"
  ask 2 show route 10.128.1.0/26 | grep -q with_12 && changed "$version: the client of the second reflector has it, too"
  for n in 1 11 12 2; do kill "$(cat "$work/$n.pid")"; rm -f "$work/$n.pid"; done
  sleep 1
done

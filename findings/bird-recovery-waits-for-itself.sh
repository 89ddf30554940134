#!/bin/bash
# A BIRD that was started with -R, and whose "protocol kernel" has graceful restart, puts no route at all into the kernel before its sessions are up,
# not even static ones, which no session tells it. Where the way to a neighbor is such a static route, BIRD waits for a session that waits for BIRD:
# it shows "Active" and "Socket: Network is unreachable" until "graceful restart wait" is over, which is 240 s unless set. After a reboot, that is: a BIRD
# that restarts alone finds its route in the kernel ("persist").
# Guess before: what is static is in the kernel at once, and only routes of sessions are held back.
# Seen with 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie), with a wait of 20 s: without -R "established within 12 s"; with -R "no route and no session after
# 12 s, established after the wait".
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

# run FOLDER PROGRAM ARGUMENT...: with the libraries that came with it, in the place of the shell.
run() {
  local root=$work/$1 program=$2 loader
  shift 2
  loader=$(find "$root" -name 'ld-linux-*.so.2' | head -n 1)
  exec "$loader" --library-path "$(find "$root" -type d -path '*lib/*-linux-gnu' | paste -sd:)" "$root/usr/sbin/$program" "$@"
}

old=(libc6 libssh-gcrypt-4 libgcrypt20 libgpg-error0 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g libssl3)
new=(libc6 libssh-4 libssl3t64 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libzstd1 zlib1g)
unpack 2.0.12 bookworm bird2=2.0.12-7 "${old[@]}"
unpack 2.17.6 trixie bird2=2.17.6-0+deb13u1 "${new[@]}"
unpack 3.1.8 trixie bird3=3.1.8-0+deb13u1 "${new[@]}"

cat >"$work/near.conf" <<'END'
router id 192.0.2.1;
graceful restart wait 20;
protocol device { scan time 1; }
protocol static { ipv4; route 10.255.0.1/32 via 192.0.2.2; }
protocol kernel { scan time 1; persist; graceful restart on; ipv4 { export all; }; }
protocol bgp far {
  local 192.0.2.1 as 65001; neighbor 10.255.0.1 as 65002; multihop; graceful restart on;
  connect delay time 1; connect retry time 1; ipv4 { import all; export none; };
}
END
cat >"$work/far.conf" <<'END'
router id 10.255.0.1;
protocol device { scan time 1; }
protocol bgp near {
  local 10.255.0.1 as 65002; neighbor 192.0.2.1 as 65001; multihop; graceful restart on; passive on; ipv4 { import all; export none; };
}
END

state() { # what there is in the kernel, and of the session
  ip route show 10.255.0.1 | grep -q . && printf 'route '
  (run "$version" birdcl -s "$work/near.ctl" show protocols far) 2>/dev/null | grep -q Established && printf session
}
await() { # SECONDS: until there is both
  for _ in $(seq $((5 * $1))); do [ "$(state)" = 'route session' ] && return; sleep 0.2; done
  return 1
}
# try VERSION [-R]: two hosts on a wire; the neighbor's address is on its loopback interface.
try() {
  version=$1
  unshare -n sleep 100 & other=$!
  sleep 0.5
  ip link add near type veth peer name far netns $other
  ip addr add 192.0.2.1/24 dev near; ip link set near up; ip link set lo up
  nsenter -t $other -n sh -c 'ip addr add 192.0.2.2/24 dev far; ip addr add 10.255.0.1/32 dev lo; ip link set far up; ip link set lo up'
  (exec nsenter -t $other -n bash -c 'run "$0" bird -f -c "$work/far.conf" -s "$work/far.ctl"' "$version") >/dev/null 2>&1 & far=$!
  (run "$version" bird -f ${2:-} -c "$work/near.conf" -s "$work/near.ctl") >/dev/null 2>&1 & near=$!
  if await 12; then
    seen='established within 12 s'
  elif [ -z "$(state)" ]; then
    seen='no route and no session after 12 s'
    await 30 && seen="$seen, established after the wait"
  else
    seen="after 12 s: $(state)"
  fi
  echo "$version ${2:-without -R}: $seen"
  kill -9 $near $far $other
  wait $near $far $other
  ip link del near; ip route flush proto bird
}
export -f run state await try
for version in 2.0.12 2.17.6 3.1.8; do
  unshare -rn bash -c 'try "$0"; try "$0" -R' "$version" 2>/dev/null
done | tee "$work/seen"
for version in 2.0.12 2.17.6 3.1.8; do
  grep -qx "$version without -R: established within 12 s" "$work/seen" || changed "$version without -R"
  grep -qx "$version -R: no route and no session after 12 s, established after the wait" "$work/seen" || changed "$version with -R"
done

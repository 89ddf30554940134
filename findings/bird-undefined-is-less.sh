#!/bin/bash
# In BIRD's filters a number that is not there is less than every number. The manual says that to use an undefined attribute is an error (upon which the route would be rejected);
# arithmetic with one is, comparing is not: "bgp_med < 100" and "bgp_med <= 0" hold for a route that has no MED, and "bgp_local_pref < 100" for a node's own routes, which have no
# local preference before they are told. So an export filter "if bgp_local_pref < 100 then reject", meant for what others have marked as worse, keeps all that is the node's own from
# its neighbors, without a word; the same rule the other way round, "if bgp_local_pref >= 100 then accept", too. Ask defined() first.
# Guess before: an error and a rejected route, as the manual has it, or false.
# Seen of 2.0.12-7 (bookworm), 2.17.6 and 3.1.8 (trixie), for a static route: "bgp_med < 100", "bgp_med <= 0", "100 > bgp_med", "krt_metric < 1", "bgp_med != 5" hold; "bgp_med = 0",
# "bgp_med >= 0", "bgp_med > 100", "defined(bgp_med)" do not; "bgp_med + 1 > 0" is an error, and no route. Of a session with the export filter above the neighbor has 0 routes, with
# "defined(bgp_local_pref) &&" before it 1.
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

conditions=('bgp_med < 100' 'bgp_med <= 0' '100 > bgp_med' 'krt_metric < 1' 'bgp_med != 5' 'bgp_med = 0' 'bgp_med >= 0' 'bgp_med > 100' 'defined(bgp_med)' 'bgp_med + 1 > 0')
one() { # the file of a BIRD with a static route for each condition, of preference 2 where it holds, and of 1 where it does not
  echo 'log stderr all; router id 192.0.2.1; protocol device {}'
  for i in "${!conditions[@]}"; do
    echo "protocol static { ipv4 { import filter { if ${conditions[i]} then preference = 2; else preference = 1; accept; }; }; route 10.$i.0.0/16 blackhole; }"
  done
}
told() { # told RULE: the file of one that tells its neighbor what the rule leaves
  echo "router id 192.0.2.1; protocol device {} protocol static { ipv4; route 198.51.100.0/24 blackhole; }"
  echo "protocol bgp up { local 127.0.0.1 port 1790 as 65001; neighbor 127.0.0.2 port 1790 as 65002; multihop; strict bind on; connect delay time 1;
    ipv4 { import none; export filter { $1 accept; }; }; }"
}
ask() { (with "$version" birdcl -s "$dir/$1.ctl" "${@:2}") 2>/dev/null; }
start() { (with "$version" bird -f -c "$dir/$1" -s "$dir/$1.ctl" -P "$dir/$1.pid") >"$dir/$1.log" 2>&1 & }
# stop PROCESS...
stop() { kill "$@"; wait "$@"; }
holds() {
  one >"$dir/one"
  start one
  for _ in $(seq 50); do ask one show route count | grep -q . && break; sleep 0.2; done
  sleep 1
  for i in "${!conditions[@]}"; do
    case $(ask one show route "10.$i.0.0/16") in *'(2)'*) echo yes ;; *'(1)'*) echo no ;; *) echo none ;; esac
  done
  stop $!
}
neighbor_has() { # neighbor_has RULE
  local first
  told "$1" >"$dir/first"
  cat >"$dir/second" <<'END'
router id 192.0.2.2; protocol device {}
protocol bgp up { local 127.0.0.2 port 1790 as 65002; neighbor 127.0.0.1 port 1790 as 65001; multihop; strict bind on; connect delay time 1; ipv4 { import all; export none; }; }
END
  start first
  first=$!
  start second
  for _ in $(seq 100); do ask second show protocols up | grep -q Established && break; sleep 0.2; done
  ask second show protocols up | grep -q Established || echo "no session"
  sleep 2
  ask second show route | grep -c 198.51.100.0/24
  stop $first $!
}
try() {
  ip link set lo up
  for version in 2.0.12 2.17.6 3.1.8; do
    echo "$version:" $(holds)\; $(neighbor_has 'if bgp_local_pref < 100 then reject;') $(neighbor_has 'if defined(bgp_local_pref) && bgp_local_pref < 100 then reject;')
  done
}
export -f with
unshare -rn bash -c "$(declare -p conditions); $(declare -f one told ask start stop holds neighbor_has try); try" 2>/dev/null | tee "$dir/seen"
for version in 2.0.12 2.17.6 3.1.8; do grep -qx "$version: yes yes yes yes yes no no no no none; 0 1" "$dir/seen" || differs $version; done

#!/bin/bash
# What BIRD calls "since" in "show protocols", and the times of "show status", are not what its clock said then, but are reckoned back from what it says now:
# when the clock is set by an hour, everything since the start has happened an hour later. In BIRD 2.0.12-7 (bookworm) and 2.17.6 (trixie) the time also
# wavers by microseconds from one command to the next, so that of many sessions one always crosses a second (or a millisecond, as printed by default).
# BIRD 3.1.8 (trixie) does not waver, and moves, too. So the text of "since" is not the name of a moment: who compares it to see whether a session was
# down has false alarms. (The clock is set for BIRD alone, by libfaketime 0.9.10-2.1.)
# Guess before: a record of when it was, the same text each time, whatever happens to the clock.
# Seen, of 40 commands, with "timeformat protocol iso long us": 2.0.12 and 2.17.6 more than 2 times, 3.1.8 at most 2; after the clock was set, all "3600 s later".
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
packages faketime bookworm libfaketime=0.9.10-2.1

cat >"$dir/conf" <<'END'
router id 192.0.2.1;
timeformat protocol iso long us;
protocol device {}
protocol static one { ipv4; route 198.51.100.0/24 blackhole; }
END
since() { (with "$version" birdcl -s "$dir/$version.ctl" show protocols one) 2>/dev/null | awk '$1 == "one" { print $5, $6 }'; }
try() {
  version=$1
  echo +0 >"$dir/clock"
  (export FAKETIME_TIMESTAMP_FILE=$dir/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
    export LD_PRELOAD=$dir/faketime/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1
    with "$version" bird -f -c "$dir/conf" -s "$dir/$version.ctl") >"$dir/log" 2>&1 & bird=$!
  for _ in $(seq 60); do [ "$(since)" ] && break; sleep 0.5; done
  times=$(for _ in $(seq 40); do since; done | sort -u | wc -l)
  [ "$times" -gt 2 ] && times='more than 2 times' || times='at most 2 times'
  before=$(since)
  echo +3600 >"$dir/clock"
  sleep 3
  later=$(($(date -d "$(since)" +%s) - $(date -d "$before" +%s)))
  [ $later -ge 3599 ] && [ $later -le 3601 ] && later=3600
  echo "$version: $times, $later s later"
  kill $bird
  wait $bird
}
export -f since try
for version in 2.0.12 2.17.6 3.1.8; do unshare -rn bash -c 'try "$0"' $version; done | tee "$dir/seen"
for version in 2.0.12 2.17.6; do grep -qx "$version: more than 2 times, 3600 s later" "$dir/seen" || differs $version; done
grep -qx '3.1.8: at most 2 times, 3600 s later' "$dir/seen" || differs 3.1.8

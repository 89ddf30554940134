#!/bin/sh
# Unpacks libfaketime into DIR, without touching the system: preloaded into a BIRD of
# the tests it is the clock of that BIRD alone.
#
#   faketime.sh DIR
set -eu

dir=${1:?usage: faketime.sh DIR}
[ ! -e "$dir/libfaketime.so.1" ] || exit 0
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=internal/testenv/debian.sh
. "$(dirname "$0")/debian.sh"

# Of the oldest Debian that a BIRD of the tests is from: its C library is in all of them.
prepare bookworm
cd "$work"
if ! private download -qq libfaketime >/dev/null; then
    echo "faketime.sh: libfaketime could not be fetched from bookworm; tests that set clocks will be skipped" >&2
    exit 0
fi
dpkg -x libfaketime_*.deb "$work/root"
cp "$work"/root/usr/lib/*/faketime/libfaketime.so.1 "$dir/libfaketime.so.1"

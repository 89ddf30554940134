#!/bin/sh
# Unpacks runc, which runs the containers of tests, into DIR, without touching the
# system.
#
#   runc.sh DIR
set -eu

dir=${1:?usage: runc.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
[ ! -x "$dir/runc" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=internal/testenv/debian.sh
. "$(dirname "$0")/debian.sh"

# Of the Debian that this is, where it is one, so that its libraries fit.
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
prepare "${suite:-trixie}"
cd "$work"
private download -qq runc >/dev/null
dpkg -x runc_*.deb "$work/root"
cp "$work/root/usr/sbin/runc" "$dir/runc"

#!/bin/sh
# Unpacks the routers of other makers that the tests peer with below DIR,
# without touching the system: DIR/root is a small system of its own (Debian 12)
# that tests enter with chroot, so that the daemons find their users, libraries
# and folders where they were built to look for them.
#
#   routers.sh DIR
#
# What a mirror does not have is named on stderr and left out; the tests that
# need it then say that they skip it.
set -eu

dir=${1:?usage: routers.sh DIR}
[ -e "$dir/root/usr/lib/frr/bgpd" ] && [ -e "$dir/root/usr/sbin/bgpd" ] && [ -e "$dir/root/usr/lib/python3/dist-packages/exabgp" ] && exit 0
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=internal/testenv/debian.sh
. "$(dirname "$0")/debian.sh"

# FRR 8.4.4, OpenBGPD 7.7, ExaBGP 4.2.21, and what they run on.
routers="frr=8.4.4 openbgpd=7.7 exabgp=4.2.21 python3-exabgp=4.2.21"
rest="libc6 libcap2 libcrypt1 libjson-c5 libpam0g libaudit1 libcap-ng0 libreadline8 libtinfo6 libyang2 libpcre2-8-0
    libc-ares2 libevent-2.1-7 zlib1g libexpat1 python3-pkg-resources python3.11-minimal libpython3.11-minimal
    libpython3.11-stdlib busybox-static"

unpack() { # PACKAGE...: into the new root
    rm -rf "$work/debs"
    mkdir -p "$work/debs"
    (cd "$work/debs" && private download -qq "$@" >/dev/null) || return 1
    for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
}

prepare bookworm
mkdir -p "$work/root"
# shellcheck disable=SC2086
unpack $rest || { echo "routers.sh: nothing could be fetched from bookworm; tests with other routers will be skipped" >&2; exit 0; }
for want in $routers; do
    found=$(version "${want%%=*}" "${want#*=}")
    if [ -z "$found" ] || ! unpack "${want%%=*}=$found"; then
        echo "routers.sh: $want could not be fetched from bookworm; tests that need it will be skipped" >&2
    fi
done

cd "$work/root"
rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/yang
mkdir -p dev proc run tmp etc
for link in sh cat; do ln -sf busybox "bin/$link"; done
ln -sf python3.11 usr/bin/python3
rm -rf var/run && mkdir -p var && ln -s ../run var/run
cat >etc/passwd <<'USERS'
root:x:0:0:root:/root:/bin/sh
frr:x:100:100:FRR:/run:/bin/false
_openbgpd:x:101:101:OpenBGPD:/run/empty:/bin/false
USERS
cat >etc/group <<'GROUPS'
root:x:0:
frr:x:100:
_openbgpd:x:101:
frrvty:x:102:root
GROUPS
rm -rf "$dir/root"
mv "$work/root" "$dir/root"

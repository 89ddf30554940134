#!/bin/sh
# Installs the programs that the demo, the tests and the benchmark run, where
# they are missing: Debian packages, for their programs only. As a user that
# may not install anything it says what is missing and goes on; whatever needs
# a program that is not there says so itself.
#
#   deps.sh [PROGRAM:PACKAGE...]
#
# Without arguments it looks for what all of them need. A program can be given as
# the path of a file.
set -eu

[ $# -gt 0 ] || set -- bird:bird2 etcd:etcd-server etcdctl:etcd-client ip:iproute2
missing=
for want in "$@"; do
    command -v "${want%%:*}" >/dev/null || [ -e "${want%%:*}" ] || missing="$missing ${want#*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "deps: missing:$missing. As root on Debian, make deps installs them; here, please do it yourself." >&2
    exit 0
fi

echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -qq -y --no-install-recommends $missing; }
# A machine may have no package lists yet, or old ones.
{ [ -n "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)" ] && install; } ||
    { apt-get update -qq && install; }

# The packages start their services where systemd runs. We asked for the
# programs only; services of packages that were there before are left alone.
if [ -d /run/systemd/system ]; then
    case $missing in *bird2*) systemctl disable --quiet --now bird.service || true ;; esac
    case $missing in *etcd-server*) systemctl disable --quiet --now etcd.service || true ;; esac
fi

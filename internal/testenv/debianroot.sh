#!/bin/sh
# Installs the tools that tests of packages run (as root on Debian), and makes
# FOLDER/root.tar: a small Debian with systemd and BIRD, from its own mirror, once.
set -eu
folder=$1

missing=
for want in lintian mmdebstrap rpm systemd-nspawn:systemd-container man:man-db; do
    command -v "${want%%:*}" >/dev/null || missing="$missing ${want#*:}"
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests of packages install and start them: they take root on Debian${missing:+, and:}$missing." >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing ||
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }
fi

[ -e "$folder/root.tar" ] && exit 0
mkdir -p "$folder"
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,bird2,man-db \
    --aptopt='APT::Install-Recommends "false"' "$suite" "$folder/new.tar"
mv "$folder/new.tar" "$folder/root.tar"

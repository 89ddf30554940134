#!/bin/sh
# Unpacks the BIRD versions that the tests run against below DIR, without
# touching the system: one folder per version, with a wrapper script for each
# program, so that DIR/2.17.6/bird is run like any other binary.
#
#   birds.sh DIR
#
# Which they are, and from which release of Debian, internal/version/birds.txt
# says. What a mirror does not have is named on stderr and left out; the tests
# that need it then say that they skip it.
set -eu

dir=${1:?usage: birds.sh DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=internal/testenv/debian.sh
. "$(dirname "$0")/debian.sh"

# fetch SUITE PACKAGE VERSION: unpacks PACKAGE and the libraries it needs, and
# writes the wrappers. VERSION is a prefix of the Debian version.
fetch() {
    out="$dir/$3"
    [ -x "$out/bird" ] && return 0
    [ -d "$work/$1" ] || prepare "$1" || return 1
    apt="$work/$1"
    found=$(version "$2" "$3")
    [ -n "$found" ] || return 1
    rm -rf "$apt/cache/archives"
    mkdir -p "$apt/cache/archives/partial" "$out.new/root"
    private install -qq -y --download-only --no-install-recommends "$2=$found" >/dev/null
    for deb in "$apt"/cache/archives/*.deb; do
        case ${deb##*/} in
        bird* | libc6_* | libssh* | libssl3* | zlib1g_* | libgssapi* | libzstd1_* | libkrb5* | libk5crypto* | libcom-err2_* | \
            libkeyutils1_* | libreadline* | libtinfo6_* | libgcrypt20_* | libgpg-error0_* | libncurses*)
            dpkg -x "$deb" "$out.new/root"
            ;;
        esac
    done
    for prog in bird bird6; do
        [ -x "$out.new/root/usr/sbin/$prog" ] || continue
        cat >"$out.new/$prog" <<'WRAPPER'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/root
for lib in "$here/usr/lib" "$here/lib"; do
    for arch in "$lib"/*-linux-gnu; do
        for ld in "$arch"/ld-linux-*.so.*; do
            [ -x "$ld" ] && exec "$ld" --library-path "$here/usr/lib/${arch##*/}:$here/lib/${arch##*/}" \
                "$here/usr/sbin/${0##*/}" "$@"
        done
    done
done
echo "$0: no dynamic loader below $here" >&2
exit 127
WRAPPER
        chmod +x "$out.new/$prog"
    done
    rm -rf "$out"
    mv "$out.new" "$out"
}

grep -v '^#' "$(dirname "$0")/../version/birds.txt" >"$work/wanted"
while read -r number suite package; do
    if ! (fetch "$suite" "$package" "$number" </dev/null); then
        echo "birds.sh: BIRD $number could not be fetched from $suite; tests that need it will be skipped" >&2
    fi
done <"$work/wanted"
ls "$dir"

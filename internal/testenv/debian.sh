# Sourced by birds.sh and routers.sh: packages of a Debian suite of our choice,
# without touching the system. It needs $work, a folder that its user removes.
# shellcheck shell=sh

# A private apt state: its own package lists and cache, the machine's own
# mirror and keys.
mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
        sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\/debian\/\{0,1\}\) .*/\2/p' | head -n 1
}
# shellcheck disable=SC2154
uri=$({ cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
    sed -n 's/^URIs: *\([^ ]*\/debian\/\{0,1\}\) *$/\1/p' | head -n 1)
[ -n "$uri" ] || uri=$(mirror)
[ -n "$uri" ] || uri=http://deb.debian.org/debian

prepare() { # SUITE
    apt="$work/$1"
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$uri" "$1" >"$apt/parts/birds.sources"
    private update -qq
}
private() {
    cmd=$1
    shift
    "apt-$([ "$cmd" = update ] || [ "$cmd" = download ] || [ "$cmd" = install ] && echo get || echo cache)" \
        -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts" \
        -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root "$cmd" "$@"
}

# version PACKAGE PREFIX: the newest version of PACKAGE that starts with PREFIX.
version() {
    private madison "$1" | awk -v v="$2" '{ if (index($3, v) == 1) { print $3; exit } }'
}

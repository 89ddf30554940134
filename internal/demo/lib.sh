# What the steps of demo.sh are made of: printing and waiting, etcd, daemons.
# The network's file (lab.sh or loopback.sh) adds where things are, and in what
# words to say so, and the functions set_up_network and routes. inside[HOST] is
# what goes before a command that runs on HOST.

need_programs() {
    local program
    for program in bird birdc etcd etcdctl ip; do
        command -v $program >/dev/null || { echo "demo: the program $program is missing: make deps" >&2; exit 1; }
    done
    bird --version 2>&1 | grep -q ' 2\.' || { echo "demo: takes BIRD 2, and this is: $(bird --version 2>&1)" >&2; exit 1; }
}

# choose_network starts the demo again with DEMO_NETWORK set.
choose_network() {
    if [ "$(id -u)" != 0 ]; then
        DEMO_NETWORK=loopback exec "$0" "$confd"
    elif unshare --mount --net --pid --fork true 2>/dev/null; then
        DEMO_NETWORK=lab exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" "$confd"
    fi
    # Root, but no namespaces: as nobody, so that BIRD cannot touch this machine's routes.
    local copy status=0
    copy=$(mktemp -d)
    chmod 755 "$copy"
    cp "$confd" "$here"/*.sh "$copy"
    DEMO_NETWORK=loopback setpriv --reuid=65534 --regid=65534 --clear-groups "$copy/demo.sh" "$copy/${confd##*/}" || status=$?
    rm -rf "$copy"
    exit $status
}

# --- printing and waiting ----------------------------------------------------

say() { if [ -t 1 ]; then printf '\n\e[1m%s\e[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
note() { printf '   %s\n' "$*"; }
indent() { sed 's/^/      /'; }

fail() {
    printf '\nDEMO FAILED: %s\n' "$*" >&2
    local log
    for log in "$dir"/*/*.log; do
        printf -- '--- the end of %s\n' "${log#"$dir"/}" >&2
        tail -n 12 "$log" >&2
    done
    exit 1
}

# wait_until WHAT COMMAND...: for at most a minute; says how long it took.
wait_until() {
    local what=$1 start=${EPOCHREALTIME/./} took
    shift
    until "$@"; do
        [ $((${EPOCHREALTIME/./} - start)) -lt 60000000 ] || fail "a minute has passed, and still not: $what"
        sleep 0.02
    done
    took=$(((${EPOCHREALTIME/./} - start) / 1000))
    note "$(printf '%-68s %6d ms' "$what" "$took")"
}

# --- etcd, with Calico's resources -------------------------------------------

start_etcd() {
    mkdir "$dir/etcd"
    ${inside[etcd]-} etcd --data-dir "$dir/etcd/data" --logger zap --log-level error \
        --listen-client-urls "http://$etcd_host:$etcd_port" --advertise-client-urls "http://$etcd_host:$etcd_port" \
        --listen-peer-urls "http://$etcd_host:0" >"$dir/etcd/etcd.log" 2>&1 &
    started+=($!)
    wait_until 'etcd answers' etcdctl_quietly endpoint health
}

etcdctl_quietly() { ETCDCTL_API=3 ${inside[etcd]-} etcdctl --endpoints "http://$etcd_host:$etcd_port" "$@" >/dev/null 2>&1; }

# resource KIND NAME SPEC [LABELS]: "KEY JSON", as etcd holds a Calico resource.
resource() {
    printf '/calico/resources/v3/projectcalico.org/%ss/%s ' "${1,,}" "$2"
    printf '{"apiVersion":"projectcalico.org/v3","kind":"%s","metadata":{"name":"%s","labels":%s,"annotations":%s},"spec":{%s}}' "$1" "$2" "${4:-"{}"}" "${5:-"{}"}" "$3"
}

# announced KIND NAME SPEC: resource, whose changes are announced for the next hour,
# so that no node holds them back.
announced() { resource "$1" "$2" "$3" '{}' "{\"confd-bird.io/disruption-until\":\"$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)\"}"; }

bgp_configuration() { echo '"asNumber":64512,"nodeToNodeMeshEnabled":'"$1$bgp_extra"; } # MESH: true or false

# write_etcd RESOURCE...: in one transaction.
write_etcd() {
    local r
    { echo; for r; do printf 'put %s "%s"\n' "${r%% *}" "$(sed 's/"/\\"/g' <<<"${r#* }")"; done; printf '\n\n'; } |
        etcdctl_quietly txn || fail 'etcd does not take a transaction'
}

write_block() { # NODE NET: IPAM has given NET to NODE
    etcdctl_quietly put "/calico/ipam/v2/host/$1/ipv4/block/${2/\//-}" '{"state":"confirmed","deleted":false}' ||
        fail 'etcd does not take a block'
}

# --- the daemons of a node ---------------------------------------------------

declare -A confd_pid

start_confd() {
    mkdir -p "$dir/$1"
    NODENAME=$1 DATASTORE_TYPE=etcdv3 ETCD_ENDPOINTS=http://$etcd_host:$etcd_port \
        ${inside[$1]-} "$confd" --bird-dir "$dir/$1" --socket "$dir/$1/bird.ctl" >"$dir/$1/confd.log" 2>&1 &
    confd_pid[$1]=$!
    started+=($!)
}

# confd status ends with 1 where something is not as it should be: what it says is what is wanted.
status_of() { ${inside[$1]-} "$confd" status --bird-dir "$dir/$1" --socket "$dir/$1/bird.ctl" || true; }
is_held() { status_of "$1" 2>/dev/null | grep -qi held; }
is_not_held() { ! is_held "$1"; }

stop_confd() {
    kill -TERM "${confd_pid[$1]}"
    wait "${confd_pid[$1]}" || fail "confd on $1 ended with status $?"
}

start_bird() {
    ${inside[$1]-} bird -f -c "$dir/$1/bird.conf" -s "$dir/$1/bird.ctl" -P "$dir/$1/bird.pid" >"$dir/$1/bird.log" 2>&1 &
    started+=($!)
}

birdc_of() { # NODE COMMAND...
    local node=$1
    shift
    birdc -s "$dir/$node/bird.ctl" "$@" 2>/dev/null
}

#!/usr/bin/env bash
# A cluster of three nodes, each with a BIRD 2 and a confd of its own, around
# one etcd: a mesh first, then a route reflector, then a filter. Every step
# says what it changes, and waits until it can be seen in BIRD and in the
# kernels; a step that does not happen ends the demo with an error.
#
#   demo.sh PATH-OF-CONFD
#
# As root everything happens in namespaces of its own: hosts, bridge, processes
# and files are gone when the demo ends, however it ends (lab.sh). Without root,
# or where namespaces are forbidden, the nodes are three addresses of the
# loopback interface, and no route goes into a kernel (loopback.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
confd=$(readlink -f "${1:?usage: demo.sh PATH-OF-CONFD}")
export PATH=$PATH:/usr/sbin:/sbin

. "$here/lib.sh"
need_programs
[ -n "${DEMO_NETWORK-}" ] || choose_network # starts this script again, inside
. "$here/$DEMO_NETWORK.sh"

nodes='k8s-m1 k8s-m2 k8s-m3'
declare -A block=([k8s-m1]=10.244.0.0/26 [k8s-m2]=10.244.64.0/26 [k8s-m3]=10.244.128.0/26)

# --- what a step waits for ---------------------------------------------------

# sessions NODE: its BGP sessions, as "NAME STATE".
sessions() { birdc_of "$1" show protocols | awk '$2 == "BGP" { print $1, $NF }'; }

# has_sessions NODE SESSION...: these, and no others, and all established.
has_sessions() {
    local node=$1 name
    shift
    [ "$(sessions "$node" | sort)" = "$(for name; do echo "$name Established"; done | sort)" ]
}

mesh_is_up() {
    local node peer want
    for node in $nodes; do
        want=()
        for peer in $nodes; do [ "$peer" = "$node" ] || want+=("Mesh_${address[$peer]//./_}"); done
        has_sessions "$node" "${want[@]}" || return 1
    done
}

reflector_is_up() {
    has_sessions k8s-m1 "$(node_session k8s-m2)" "$(node_session k8s-m3)" &&
        sessions k8s-m2 | grep -qx "$(node_session k8s-m1) Established" && sessions k8s-m3 | grep -qx "$(node_session k8s-m1) Established"
}

reflection_is_up() {
    has_sessions k8s-m1 "$(node_session k8s-m2)" "$(node_session k8s-m3)" &&
        has_sessions k8s-m2 "$(node_session k8s-m1)" && has_sessions k8s-m3 "$(node_session k8s-m1)"
}
node_session() { echo "Node_${address[$1]//./_}$port_in_name"; }

# has_route NODE NET, has_no_route NODE NET: by BGP, where routes() looks.
has_route() { routes "$1" | grep -q "^$2 "; }
has_no_route() { ! has_route "$1" "$2"; }

all_blocks_everywhere() {
    local node peer
    for node in $nodes; do
        for peer in $nodes; do [ "$peer" = "$node" ] || has_route "$node" "${block[$peer]}" || return 1; done
    done
}

show_sessions() { for node in $nodes; do note "$node: $(sessions "$node" | paste -sd, | sed 's/,/, /g')"; done; }
show_routes() { for node in $nodes; do note "$node:"; routes "$node" | indent; done; }

# since: the sessions of all nodes, each with its state, and the second of the day since
# when it is in it.
since() {
    local node
    for node in $nodes; do
        birdc_of "$node" show protocols | awk -v node="$node" '$2 == "BGP" { split($5, t, ":"); print node "/" $1, $4, 3600*t[1] + 60*t[2] + t[3] }'
    done
}

# none_restarted BEFORE: no session was, since BEFORE, which is what since said. The times that
# BIRD tells waver; a session that is made anew is down for the two seconds before it connects.
none_restarted() {
    awk 'NR == FNR { at[$1] = $3; before++; next }
        { d = $3 - at[$1]; if (d < 0) d = -d; if (d > 43200) d = 86400 - d }
        $2 == "up" && $1 in at && d < 1 { same++ }
        END { exit before == 0 || same != before }' <(echo "$1") <(since)
}

# --- the demo ----------------------------------------------------------------

say "1. Three nodes around one etcd: $network_words"
set_up_network
start_etcd
write_etcd "$(resource BGPConfiguration default "$(bgp_configuration true)")" \
    "$(resource IPPool workloads '"cidr":"10.244.0.0/16","ipipMode":"Never","vxlanMode":"Never","natOutgoing":true')"
for node in $nodes; do
    write_etcd "$(resource Node "$node" '"bgp":{"ipv4Address":"'"${address[$node]}"'/24"}')"
    write_block "$node" "${block[$node]}"
    note "$node: ${address[$node]}, block ${block[$node]}"
done

say '2. confd and BIRD start on each node: a full mesh'
for node in $nodes; do start_confd "$node"; done
for node in $nodes; do
    wait_until "$node: confd has written bird.conf" test -s "$dir/$node/bird.conf"
    start_bird "$node"
done
wait_until 'every session is Established' mesh_is_up
show_sessions
wait_until "every node has the other nodes' blocks $routes_words" all_blocks_everywhere
show_routes

say '3. k8s-m1 becomes a route reflector, and when it reflects the mesh goes'
write_etcd "$(resource Node k8s-m1 '"bgp":{"ipv4Address":"'"${address[k8s-m1]}"'/24","routeReflectorClusterID":"192.0.2.1"}' '{"route-reflector":"true"}')" \
    "$(resource BGPPeer reflect '"nodeSelector":"all()","peerSelector":"has(route-reflector)"')"
wait_until 'all nodes have a session with k8s-m1' reflector_is_up
wait_until 'and all blocks' all_blocks_everywhere
write_etcd "$(resource BGPConfiguration default "$(bgp_configuration false)")"
wait_until 'k8s-m2 and k8s-m3 speak with k8s-m1 only' reflection_is_up
show_sessions
wait_until 'every node has the blocks still, now by way of k8s-m1' all_blocks_everywhere
note "k8s-m2 on the block of k8s-m3:"
birdc_of k8s-m2 show route all "${block[k8s-m3]}" | grep -E 'BGP\.(originator_id|cluster_list|next_hop)' | indent

say "4. A BGPFilter hides the block of k8s-m3, ${block[k8s-m3]}, from its peers"
note 'It is all that k8s-m3 tells, and would be held, as in step 7: so the change is announced.'
before=$(since)
write_etcd \
    "$(announced BGPFilter hide-m3 '"exportV4":[{"matchOperator":"In","cidr":"'"${block[k8s-m3]}"'","action":"Reject"}]')" \
    "$(announced BGPPeer reflect '"nodeSelector":"all()","peerSelector":"has(route-reflector)","filters":["hide-m3"]')"
wait_until "k8s-m1 has lost ${block[k8s-m3]}" has_no_route k8s-m1 "${block[k8s-m3]}"
wait_until "k8s-m2 has lost ${block[k8s-m3]}" has_no_route k8s-m2 "${block[k8s-m3]}"
show_routes
none_restarted "$before" || fail 'a filter alone restarted a session'
note 'No session was restarted for it.'

say '5. The filter goes, and the block is back'
write_etcd "$(resource BGPPeer reflect '"nodeSelector":"all()","peerSelector":"has(route-reflector)"')"
wait_until 'every node has all blocks' all_blocks_everywhere

say '6. A BGPPeer that makes no sense: it is reported and left out, and the rest stands'
write_etcd "$(resource BGPPeer broken '"peerIP":"10.1.2.3; }","asNumber":65001')"
wait_until 'k8s-m1: confd reports it' grep -q 'BGPPeer broken' "$dir/k8s-m1/confd.log"
grep 'BGPPeer broken' "$dir/k8s-m1/confd.log" | tail -n 1 | sed 's/^time=[^ ]* //' | indent
reflection_is_up || fail 'it took sessions down'
all_blocks_everywhere || fail 'it took routes away'

say '7. Somebody takes the label off the route reflector: that would end every session, so it is held'
write_etcd "$(resource Node k8s-m1 '"bgp":{"ipv4Address":"'"${address[k8s-m1]}"'/24","routeReflectorClusterID":"192.0.2.1"}')"
for node in $nodes; do wait_until "$node: confd holds the change" is_held "$node"; done
reflection_is_up || fail 'it took sessions down'
note 'confd status on k8s-m2:'
status_of k8s-m2 | sed 's/  *$//' | indent
write_etcd "$(resource Node k8s-m1 '"bgp":{"ipv4Address":"'"${address[k8s-m1]}"'/24","routeReflectorClusterID":"192.0.2.1"}' '{"route-reflector":"true"}')"
for node in $nodes; do wait_until "$node: the label is back, and nothing is held" is_not_held "$node"; done

say '8. SIGTERM: confd ends at once, and BIRD keeps its sessions'
for node in $nodes; do wait_until "$node: confd has ended, with status 0" stop_confd "$node"; done
reflection_is_up || fail 'sessions went down with confd'
show_sessions

printf '\nDone: every step happened. %s\n' "$goodbye_words"

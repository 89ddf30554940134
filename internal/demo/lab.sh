# Three hosts and an etcd, each a network namespace, on one bridge. This runs
# inside mount, network and process namespaces made for the demo: with its last
# process the kernel removes all of it.

declare -A address=([k8s-m1]=192.168.2.140 [k8s-m2]=192.168.2.141 [k8s-m3]=192.168.2.142)
declare -A inside=([etcd]='ip netns exec etcd' [k8s-m1]='ip netns exec k8s-m1' [k8s-m2]='ip netns exec k8s-m2' [k8s-m3]='ip netns exec k8s-m3')
etcd_host=192.168.2.1
etcd_port=2379
bgp_extra=
port_in_name=
network_words='network namespaces on a bridge'
routes_words='in its kernel'
goodbye_words='The namespaces, and all in them, go away now.'
started=()
dir=/run/demo

set_up_network() {
    mount -t tmpfs demo /run # hides the machine's own /run/netns from us, and ours from it
    mkdir "$dir"
    ip link add br0 type bridge
    ip link set br0 up
    add_host etcd "$etcd_host"
    local node
    for node in $nodes; do add_host "$node" "${address[$node]}"; done
}

add_host() { # NAME ADDRESS
    ip netns add "$1"
    ip link add "$1" type veth peer name eth0 netns "$1"
    ip link set "$1" master br0 up
    ip -n "$1" addr add "$2/24" dev eth0
    ip -n "$1" link set eth0 up
    ip -n "$1" link set lo up
}

routes() { ip -n "$1" route show proto bird | grep -v '^blackhole'; }

# Three nodes on addresses of the loopback interface, for users that may not
# make namespaces. BIRD may not program kernel routes then: routes are shown as
# BIRD itself has them. All processes are ended, and all files removed, at the end.

declare -A address=([k8s-m1]=127.0.1.1 [k8s-m2]=127.0.1.2 [k8s-m3]=127.0.1.3)
declare -A inside=()
etcd_host=127.0.0.1
etcd_port=$((20000 + RANDOM % 10000))
bgp_extra=',"bindMode":"NodeIP","listenPort":'$((etcd_port + 1))
port_in_name=_port_$((etcd_port + 1))
network_words="loopback addresses, for this is not root: no routes go into the kernel (sudo make demo shows that too)"
routes_words='in its BIRD'
goodbye_words='Processes and files are removed.'
started=()
dir=$(mktemp -d /tmp/confd-demo.XXXXXX)

remove_all() {
    [ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
    wait
    rm -rf "$dir"
}
trap remove_all EXIT
trap 'exit 130' INT TERM

set_up_network() { :; } # the loopback interface is there

routes() { birdc_of "$1" show route primary | sed -nE 's/^([0-9./]+) .*\[((Mesh|Node)_[0-9a-z_]+) .*/\1 from \2/p'; }

package main

// The examples of commands. Tests run those that can be run.
const (
	rootExamples = `# keep BIRD in step with what etcd says
confd --etcd-endpoints https://10.0.0.1:2379 --node node-1
# say what would change on this node, and change nothing
confd --onetime --noop`
	runExamples = `# as a sidecar, with Kubernetes as the datastore
confd run --datastore kubernetes --listen :9191
# run BIRD, too, in a container without another one
confd run --exec 'bird -f -c /etc/bird/bird.conf'
# write the files once, have BIRD read them, and end
confd run --onetime`
	renderExamples = `# what BIRD 2 would be given, of resources in a file
confd render --data cluster.yaml --node node-1 --bird 2
# all files, into a folder
confd render --data cluster.yaml --node node-1 -o out`
	statusExamples = `# this node's sessions, again and again
confd status --watch 5s
# all nodes that hold a change back or are silent
confd status --all-nodes --filter state=held,silent`
	approveExamples = `# let this node's change through
confd approve
# what would be approved on all nodes
confd approve --all-nodes --dry-run`
	diffExamples = `# what would change on this node
confd diff
# what a few resources would change on all nodes
confd diff --from live --to change.yaml --all-nodes
# between two whole states
confd diff --from cluster.yaml --to after.yaml --whole`
	explainExamples = `# why there is no session between these two
confd explain session node-1 node-2
# where packets to a pod go
confd explain pod 10.244.1.7
# whether a router is told of a net
confd explain route 10.244.1.0/26 --node node-2 --to 172.18.0.9`
	explainSessionExamples = `# between two nodes
confd explain session node-1 node-2
# between a node and a router
confd explain session node-1 172.18.0.9 --data cluster.yaml`
	explainRouteExamples = `# what becomes of a route at a node
confd explain route 10.244.1.0/26 --node node-2
# whether a router is told of it
confd explain route 10.244.1.0/26 --node node-2 --to 172.18.0.9
# what a node takes from a router
confd explain route 0.0.0.0/0,path=65001 --node node-1 --from 172.18.0.9`
	explainPodExamples    = `confd explain pod 10.244.1.7`
	explainBlockExamples  = `confd explain block 10.244.1.0/26`
	explainNodeExamples   = `confd explain node node-1`
	explainFilterExamples = `# whom it concerns
confd explain filter no-default
# what it makes of a route
confd explain filter no-default --route 0.0.0.0/0,path=65001`
	doctorExamples = `# of the live cluster
confd doctor
# of files, in CI: errors alone count
confd doctor --data cluster.yaml --fail-on error
# without two kinds of findings
confd doctor --ignore BGP010,BGP020`
	planExamples = `# what a change would do
confd plan -f change.yaml
# in CI: no session may go
confd plan -f change.yaml --fail-on session-loss,isolated-node
# what deleting would do
confd plan --delete BGPPeer/rack-router`
	topologyExamples = `# a page to look at in a browser
confd topology -o sessions.html
# nodes of a zone together
confd topology --group-by topology.kubernetes.io/zone -o sessions.svg
# for Graphviz
confd topology --format dot`
	exportExamples = `# a file that --data reads
confd export -o cluster.yaml`
	testExamples = `# a new case, of what the datastore says
confd test --init cases/node-1
# all cases below a folder
confd test cases`
	templatesExamples = `# a start for templates of your own
confd templates export own
# what they make
confd render --confdir own`
	completionExamples = `source <(confd completion bash)`
	versionExamples    = `# for a bug report
confd version --verbose`
)

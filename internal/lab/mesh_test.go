package lab_test

import (
	"testing"

	"confd/internal/lab"
)

// threeHosts adds the hosts k8s-m1 to k8s-m3 with their blocks and a pod each.
func threeHosts(l *lab.Lab) ([]*lab.Host, []*lab.Workload) {
	l.AddSubnet("rack", "192.168.2.0/24")
	l.Store.Apply(`
kind: IPPool
metadata: {name: workloads}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never, blockSize: 26}
`)
	hosts := []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "k8s-m1", Addresses: []string{"192.168.2.140/24"}, Blocks: []string{"10.244.42.128/26"}}),
		l.AddHost(lab.HostConfig{Name: "k8s-m2", Addresses: []string{"192.168.2.141/24"}, Blocks: []string{"10.244.81.128/26"}}),
		l.AddHost(lab.HostConfig{Name: "k8s-m3", Addresses: []string{"192.168.2.142/24"}, Blocks: []string{"10.244.11.0/26"}}),
	}
	return hosts, []*lab.Workload{
		hosts[0].AddWorkload("10.244.42.130"), hosts[1].AddWorkload("10.244.81.130"), hosts[2].AddWorkload("10.244.11.2"),
	}
}

func TestMesh(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	hosts, pods := threeHosts(l)
	l.Start()
	l.AwaitMesh(hosts...)
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods...)
}

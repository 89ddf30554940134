package file

import (
	"fmt"
	"slices"
	"strings"

	"confd/backends"
)

// typeMeta is what says what an object is.
type typeMeta struct{ apiVersion, kind string }

func typeOf(tree map[string]any) typeMeta {
	apiVersion, _ := tree["apiVersion"].(string)
	kind, _ := tree["kind"].(string)
	return typeMeta{apiVersion, kind}
}

// item is the type of a List's items that do not say it themselves.
func (t typeMeta) item() typeMeta {
	t.kind = strings.TrimSuffix(t.kind, "List")
	return t
}

func (t typeMeta) isList() bool { return strings.HasSuffix(t.kind, "List") }

// group and version are the parts of the apiVersion; the group of "v1" is empty.
func (t typeMeta) group() string {
	group, _, ok := strings.Cut(t.apiVersion, "/")
	if !ok {
		return ""
	}
	return group
}

func (t typeMeta) version() string { return t.apiVersion[strings.IndexByte(t.apiVersion, '/')+1:] }

// isCore says whether the kind is one of Kubernetes' own.
func (t typeMeta) isCore() bool { return t.group() == "" }

// apiGroup is an API group of which confd reads kinds.
type apiGroup struct {
	name     string
	versions []string // none: any
	ours     []backends.Kind
	others   []string
}

// apiGroups are the groups that kinds of ours are in, with all kinds that they
// are known to have.
func apiGroups() []apiGroup {
	calico := []backends.Kind{
		backends.KindBGPConfiguration, backends.KindBGPPeer, backends.KindBGPFilter, backends.KindIPPool,
		backends.KindBlockAffinity, backends.KindFelixConfiguration,
	}
	others := strings.Fields(`CalicoNodeStatus ClusterInformation GlobalNetworkPolicy GlobalNetworkSet HostEndpoint IPAMBlock IPAMConfig
		IPAMConfiguration IPAMHandle IPReservation KubeControllersConfiguration NetworkPolicy NetworkSet Profile QoSPolicy
		StagedGlobalNetworkPolicy StagedKubernetesNetworkPolicy StagedNetworkPolicy Tier WorkloadEndpoint CalicoAPIConfig LiveMigration
		AlertException BFDConfiguration DeepPacketInspection EgressGatewayPolicy ExternalNetwork GlobalAlert GlobalAlertTemplate GlobalReport
		GlobalReportType GlobalThreatFeed LicenseKey ManagedCluster PacketCapture PolicyRecommendationScope PolicyRecommendationStatus
		RemoteClusterConfiguration SecurityEventWebhook UISettings UISettingsGroup`)
	return []apiGroup{
		{"projectcalico.org", []string{"v3"}, append(slices.Clone(calico), backends.KindNode), others},
		{"crd.projectcalico.org", []string{"v1"}, calico, append(slices.Clone(others), "Node")},
		{"", []string{"v1"}, []backends.Kind{backends.KindNode, backends.KindService, backends.KindSecret},
			strings.Fields(`Binding ComponentStatus ConfigMap Endpoints Event LimitRange Namespace PersistentVolume PersistentVolumeClaim
				Pod PodTemplate ReplicationController ResourceQuota ServiceAccount Status`)},
		{"discovery.k8s.io", nil, []backends.Kind{backends.KindEndpointSlice}, nil},
	}
}

// kinds tells what an object is by what it says. It is never changed.
type kinds struct{ groups []apiGroup }

func newKinds() kinds { return kinds{apiGroups()} }

// verdict is what a typeMeta comes to: one of ours, or one that is passed over;
// warning is set where it looks like a mistake, and err where it is one.
type verdict struct {
	ours         bool
	warning, err *backends.Warning
}

func (k kinds) of(t typeMeta) verdict {
	i := slices.IndexFunc(k.groups, func(g apiGroup) bool { return g.name == t.group() })
	if i < 0 {
		return verdict{warning: k.strange(t)}
	}
	g := k.groups[i]
	switch {
	case g.name == "" && slices.Contains(oldKinds(), t.kind) || isCalico(g.name) && slices.Contains([]string{"v1", "v2"}, t.version()) && !g.has(t.version()):
		return verdict{err: &backends.Warning{Code: backends.OldFormat, Text: fmt.Sprintf(
			"is a %.40q of %.40q, as calicoctl wrote them before Calico 3, and is not read: convert it (calicoctl convert)", t.kind, t.apiVersion)}}
	case !g.has(t.version()) || !g.knows(t.kind):
		return verdict{ours: g.isOurs(t.kind), warning: k.unknown(g, t)}
	}
	return verdict{ours: g.isOurs(t.kind)}
}

// oldKinds are the kinds of "apiVersion: v1" that calicoctl had before Calico 3.
func oldKinds() []string {
	return []string{"bgpPeer", "hostEndpoint", "ipPool", "node", "policy", "profile", "workloadEndpoint"}
}

func isCalico(group string) bool { return strings.HasSuffix(group, "projectcalico.org") }

func (g apiGroup) has(version string) bool {
	return g.versions == nil || slices.Contains(g.versions, version)
}

func (g apiGroup) isOurs(kind string) bool { return slices.Contains(g.ours, backends.Kind(kind)) }

func (g apiGroup) knows(kind string) bool {
	return g.isOurs(kind) || slices.Contains(g.others, kind) || kind == ""
}

func (g apiGroup) names() []string {
	names := slices.Clone(g.others)
	for _, k := range g.ours {
		names = append(names, string(k))
	}
	return names
}

// unknown is what there is to say of a kind or version that a known group has not.
func (k kinds) unknown(g apiGroup, t typeMeta) *backends.Warning {
	w := &backends.Warning{Code: backends.UnknownKind}
	if g.knows(t.kind) {
		w.Text = fmt.Sprintf("apiVersion: %.60q is not known%s", t.apiVersion, backends.DidYouMean(g.apiVersion()))
		return w
	}
	meant := backends.Nearest(t.kind, g.names())
	if other := k.homeOf(t.kind); meant == "" && other != "" {
		meant = fmt.Sprintf("apiVersion %s", other)
	}
	w.Text = fmt.Sprintf("kind: %s has no kind %.60q, so nothing of it is read%s", t.apiVersion, t.kind, backends.DidYouMean(meant))
	return w
}

func (g apiGroup) apiVersion() string {
	version := "v1"
	if len(g.versions) > 0 {
		version = g.versions[0]
	}
	if g.name == "" {
		return version
	}
	return g.name + "/" + version
}

// homeOf is the apiVersion that has a kind of ours; empty: none.
func (k kinds) homeOf(kind string) string {
	for _, g := range k.groups {
		if g.isOurs(kind) {
			return g.apiVersion()
		}
	}
	return ""
}

// strange is what there is to say of a group that nobody here knows: nothing,
// unless it looks like one of ours with a kind of ours.
func (k kinds) strange(t typeMeta) *backends.Warning {
	if t.group() == "" || k.homeOf(t.kind) == "" {
		return nil
	}
	var near []string
	for _, g := range k.groups {
		if g.name != "" && g.isOurs(t.kind) {
			near = append(near, g.name)
		}
	}
	meant := backends.Nearest(t.group(), near)
	if meant == "" {
		return nil
	}
	return &backends.Warning{Code: backends.UnknownKind, Text: fmt.Sprintf(
		"apiVersion: %.60q is not known, so nothing of this %s is read%s", t.apiVersion, t.kind, backends.DidYouMean(meant))}
}

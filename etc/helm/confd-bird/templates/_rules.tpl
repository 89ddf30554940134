{{- /* What confd reads, which depends on where the cluster's state comes from. */}}
{{- define "confd.rules" -}}
{{- $direct := and (eq .Values.datastore.type "kubernetes") (empty .Values.typha.service) }}
{{- if $direct }}
# Addresses, AS numbers, labels, podCIDRs.
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end }}
# Watched only while service addresses are advertised; of Typha's own, the endpoints
# are listed whenever a connection is needed.
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- if eq .Values.datastore.type "kubernetes" }}
# Calico's resources, in whichever group the cluster has them.
- apiGroups: [crd.projectcalico.org, projectcalico.org]
  resources:
    {{- if $direct }}
    - bgpconfigurations
    - bgpfilters
    - bgppeers
    - blockaffinities
    {{- end }}
    - felixconfigurations
    {{- if $direct }}
    - ippools
    {{- end }}
  verbs: [list, watch]
{{- end }}
{{- if $direct }}
# Read for the setting ipam-metrics alone.
- apiGroups: [crd.projectcalico.org, projectcalico.org]
  resources: [ipamblocks]
  verbs: [list]
{{- end }}
{{- end }}

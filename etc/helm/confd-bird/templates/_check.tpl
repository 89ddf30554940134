{{- /* What the schema cannot say, or not so that one understands it. */}}
{{- define "confd.check" -}}
{{- if and (eq .Values.datastore.type "etcdv3") (empty .Values.datastore.etcd.endpoints) (empty (index .Values.settings "etcd-discovery-srv")) }}
{{- fail "datastore.type is etcdv3, and datastore.etcd.endpoints is empty: name the etcd servers" }}
{{- end }}
{{- if and (ne .Values.datastore.type "etcdv3") (not (empty .Values.datastore.etcd.endpoints)) }}
{{- fail "datastore.etcd.endpoints is set, and datastore.type is not etcdv3: set it, or leave the endpoints out" }}
{{- end }}
{{- if and .Values.podMonitor.enabled (not .Values.listen.onNode) }}
{{- fail "podMonitor.enabled is set, and listen.onNode is not: Prometheus cannot reach 127.0.0.1 of the nodes" }}
{{- end }}
{{- if and .Values.listen.ipv6 (not .Values.listen.onNode) }}
{{- fail "listen.ipv6 is set, and listen.onNode is not: it is about the node's address" }}
{{- end }}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) }}
{{- fail "serviceAccount.create is false, and serviceAccount.name is empty: name the one that there is" }}
{{- end }}
{{- if and .Values.typha.caConfigMap (not .Values.typha.tlsSecret) }}
{{- fail "typha.caConfigMap is set, and typha.tlsSecret is not: Typha's TLS takes both" }}
{{- end }}
{{- if and .Values.typha.tlsSecret (not .Values.typha.caConfigMap) }}
{{- fail "typha.tlsSecret is set, and typha.caConfigMap is not: Typha's TLS takes both" }}
{{- end }}
{{- if and .Values.typha.tlsSecret (not (or .Values.typha.commonName .Values.typha.uriSAN)) }}
{{- fail "typha.tlsSecret is set, and neither typha.commonName nor typha.uriSAN: one of them says which server is Typha" }}
{{- end }}
{{- end }}

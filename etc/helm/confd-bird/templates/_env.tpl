{{- define "confd.env" -}}
- {name: DATASTORE_TYPE, value: {{ .Values.datastore.type | quote }}}
- name: NODENAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
# Where the Secrets with passwords are.
- name: NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- include "confd.env.listen" . }}
{{- include "confd.env.etcd" .Values.datastore.etcd }}
{{- include "confd.env.typha" .Values.typha }}
{{- if .Values.nodeEvents.enabled }}
- {name: CONFD_NODE_EVENTS, value: "true"}
{{- end }}
{{- end }}

{{- /* Probes and metrics. The pod is on the host's network. */}}
{{- define "confd.env.listen" }}
{{- $port := toJson .Values.listen.port }}
{{- if .Values.listen.onNode }}
- name: NODE_IP
  valueFrom: {fieldRef: {fieldPath: status.hostIP}}
- {name: CONFD_LISTEN, value: {{ printf (ternary "[$(NODE_IP)]:%s" "$(NODE_IP):%s" .Values.listen.ipv6) $port | quote }}}
{{- else }}
- {name: CONFD_LISTEN, value: {{ printf "127.0.0.1:%s" $port | quote }}}
{{- end }}
{{- if .Values.listen.tlsSecret }}
- {name: CONFD_LISTEN_CERT_FILE, value: /etc/confd-tls/listen/tls.crt}
- {name: CONFD_LISTEN_KEY_FILE, value: /etc/confd-tls/listen/tls.key}
- {name: CONFD_LISTEN_CA_FILE, value: /etc/confd-tls/listen/ca.crt}
{{- end }}
{{- end }}

{{- define "confd.env.etcd" }}
{{- with .endpoints }}
- {name: ETCD_ENDPOINTS, value: {{ join "," . | quote }}}
{{- end }}
{{- if .tlsSecret }}
- {name: ETCD_CA_CERT_FILE, value: /etc/confd-tls/etcd/ca.crt}
- {name: ETCD_CERT_FILE, value: /etc/confd-tls/etcd/tls.crt}
- {name: ETCD_KEY_FILE, value: /etc/confd-tls/etcd/tls.key}
{{- end }}
{{- with .passwordSecret }}
- name: ETCD_USERNAME
  valueFrom: {secretKeyRef: {name: {{ quote . }}, key: username}}
- name: ETCD_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ quote . }}, key: password}}
{{- end }}
{{- end }}

{{- define "confd.env.typha" }}
{{- if .service }}
- {name: CONFD_TYPHAK8SSERVICENAME, value: {{ .service | quote }}}
- {name: CONFD_TYPHAK8SNAMESPACE, value: {{ .namespace | quote }}}
{{- end }}
{{- if .tlsSecret }}
- {name: CONFD_TYPHACAFILE, value: {{ printf "/etc/confd-tls/typha-ca/%s" .caKey | quote }}}
- {name: CONFD_TYPHACERTFILE, value: /etc/confd-tls/typha/tls.crt}
- {name: CONFD_TYPHAKEYFILE, value: /etc/confd-tls/typha/tls.key}
{{- end }}
{{- with .commonName }}
- {name: CONFD_TYPHACN, value: {{ quote . }}}
{{- end }}
{{- with .uriSAN }}
- {name: CONFD_TYPHAURISAN, value: {{ quote . }}}
{{- end }}
{{- end }}

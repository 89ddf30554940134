{{- define "confd.mounts" -}}
- {name: configuration, mountPath: /etc/bird}
- {name: control, mountPath: /run/bird}
- {name: calico, mountPath: /var/run/calico, readOnly: true}
- {name: api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- if .Values.datastore.etcd.tlsSecret }}
- {name: etcd-tls, mountPath: /etc/confd-tls/etcd, readOnly: true}
{{- end }}
{{- if .Values.typha.tlsSecret }}
- {name: typha-tls, mountPath: /etc/confd-tls/typha, readOnly: true}
- {name: typha-ca, mountPath: /etc/confd-tls/typha-ca, readOnly: true}
{{- end }}
{{- if .Values.listen.tlsSecret }}
- {name: listen-tls, mountPath: /etc/confd-tls/listen, readOnly: true}
{{- end }}
{{- end }}

{{- define "confd.volumes" -}}
# The first holds passwords and what confd knows, the second a socket. In memory
# they go with the pod.
- name: configuration
  {{- if .Values.state.hostPath }}
  hostPath: {path: {{ .Values.state.hostPath | quote }}, type: DirectoryOrCreate}
  {{- else }}
  emptyDir: {medium: Memory}
  {{- end }}
- name: control
  emptyDir: {medium: Memory}
# Felix writes endpoint-status/ here, for workloads that speak BGP.
- name: calico
  hostPath: {path: /var/run/calico, type: DirectoryOrCreate}
# What a pod is given by default; here for confd only. BIRD, which strangers talk
# to, has no use for it.
- name: api
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- with .Values.datastore.etcd.tlsSecret }}
- name: etcd-tls
  secret: {secretName: {{ quote . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.typha.tlsSecret }}
- name: typha-tls
  secret: {secretName: {{ quote . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.typha.caConfigMap }}
- name: typha-ca
  configMap: {name: {{ quote . }}}
{{- end }}
{{- with .Values.listen.tlsSecret }}
- name: listen-tls
  secret: {secretName: {{ quote . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- /* A folder of the node belongs to root: this hands it over to confd. */}}
{{- define "confd.state" -}}
- name: state
  {{- include "confd.image" (list . "bird") | nindent 2 }}
  command:
    - sh
    - -ec
    # One that somebody else has files in, such as /etc, stays as it is.
    - |
      files=$(ls -A /etc/bird)
      if echo "$files" | grep -qvx -e lost+found -e '' && ! echo "$files" | grep -qx -e '\.confd-.*' -e 'bird\.conf' -e 'refused\.conf'; then
        echo 'state.hostPath is a folder with files of others in it: name one that is new, or empty' >&2
        exit 1
      fi
      chown 0:65532 /etc/bird
      chmod 2770 /etc/bird
  securityContext:
    runAsUser: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [CHOWN, FOWNER]}
  resources: {{- include "confd.yaml" .Values.bird.resources | nindent 4 }}
  volumeMounts:
    - {name: configuration, mountPath: /etc/bird}
{{- end }}

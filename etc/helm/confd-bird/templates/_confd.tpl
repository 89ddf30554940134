{{- define "confd.confd" -}}
{{- $one := eq .Values.mode "one-container" }}
- name: confd
  {{- include "confd.image" (list . (ternary "confdBird" "confd" $one)) | nindent 2 }}
  args:
    {{- if $one }}
    - run
    # What BIRD is run with, and by: the script has BIRD leave the routes where
    # they are when the pod is replaced.
    - --exec=run-bird /run/bird/bird.ctl bird -d -R -c /etc/bird/bird.conf -s /run/bird/bird.ctl
    {{- else }}
    # BIRD cannot be asked before it has a first configuration.
    - {{ printf "--bird=%s" .Values.bird.version | quote }}
    {{- end }}
    - --bird-dir=/etc/bird
    - --socket=/run/bird/bird.ctl
    {{- range $name, $value := .Values.settings }}
    - {{ include "confd.setting" (list $name $value) | quote }}
    {{- end }}
  env:
    {{- include "confd.env" . | nindent 4 }}
    {{- with .Values.confd.env }}
    {{- include "confd.yaml" . | nindent 4 }}
    {{- end }}
  {{- if .Values.listen.onNode }}
  ports:
    - {name: metrics, containerPort: {{ toJson .Values.listen.port }}}
  {{- end }}
  # Ready: each source is in step, and BIRD has confirmed what it should run. That
  # says nothing about whether to restart the program.
  readinessProbe:
    httpGet: {{- include "confd.probe" (list . "/readyz") | nindent 6 }}
    periodSeconds: 10
    timeoutSeconds: 5
  livenessProbe:
    httpGet: {{- include "confd.probe" (list . "/livez") | nindent 6 }}
    periodSeconds: 20
    timeoutSeconds: 5
    failureThreshold: 3
  securityContext:
    {{- if $one }}
    # BIRD's rights: as root, since Kubernetes gives capabilities to nobody else.
    # confd by itself needs none.
    runAsNonRoot: false
    runAsUser: 0
    runAsGroup: 0
    {{- else }}
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    {{- end }}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      {{- if $one }}
      add: [NET_ADMIN, NET_BIND_SERVICE, NET_RAW]
      {{- end }}
  resources: {{- include "confd.yaml" .Values.confd.resources | nindent 4 }}
  volumeMounts:
    {{- include "confd.mounts" . | nindent 4 }}
    {{- with .Values.confd.volumeMounts }}
    {{- include "confd.yaml" . | nindent 4 }}
    {{- end }}
{{- end }}

{{- /* A setting as a flag: takes a list of its name and value. */}}
{{- define "confd.setting" -}}
{{- $value := index . 1 }}
{{- printf "--%s=" (index . 0) }}
{{- if kindIs "slice" $value }}{{ join "," $value }}{{ else if kindIs "string" $value }}{{ $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}

{{- /* Whom a probe asks: takes a list of the root and the path. */}}
{{- define "confd.probe" -}}
{{- $root := index . 0 -}}
{{- /* Without a host the kubelet asks at the pod's address, which is the node's. */}}
{{- if not $root.Values.listen.onNode -}}
host: 127.0.0.1
{{ end -}}
path: {{ index . 1 }}
port: {{ toJson $root.Values.listen.port }}
{{- if $root.Values.listen.tlsSecret }}
scheme: HTTPS
{{- end }}
{{- end }}

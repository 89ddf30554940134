{{- define "confd.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- define "confd.account" -}}
{{ .Values.serviceAccount.name | default (include "confd.name" .) }}
{{- end }}

{{- define "confd.labels" -}}
app.kubernetes.io/name: {{ include "confd.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end }}

{{- /* A value as YAML. Of one that it cannot write toYaml makes nothing, without a word. */}}
{{- define "confd.yaml" -}}
{{- toYaml . | required "a value has a control character in it, which YAML does not take" }}
{{- end }}

{{- /* The image of that name in the values: takes a list of the root and the name. */}}
{{- define "confd.image" -}}
{{- $root := index . 0 }}
{{- $name := index . 1 }}
{{- $image := index $root.Values.images $name }}
{{- $where := required (printf "images.%s.repository is not set: no image is published, name the one that you pushed" $name) $image.repository }}
image: {{ printf "%s:%s%s" $where ($image.tag | default $root.Chart.AppVersion) ($image.digest | empty | ternary "" (printf "@%s" $image.digest)) | quote }}
{{- with $root.Values.images.pullPolicy }}
imagePullPolicy: {{ quote . }}
{{- end }}
{{- end }}

{{- /* Who the roles are bound to. */}}
{{- define "confd.subjects" -}}
- kind: ServiceAccount
  name: {{ include "confd.account" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}

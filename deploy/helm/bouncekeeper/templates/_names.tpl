{{/* The release in front of every name. 53 characters leave room for the longest ending, "-processor". */}}
{{- define "bouncekeeper.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- $release := .Release.Name | replace "." "-" -}}{{/* a Service has no dot in its name */}}
{{- if or (contains .Chart.Name $release) (gt (len $release) 40) -}}
{{- $release | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" $release .Chart.Name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of what belongs to one process: (list . "receiver"). */}}
{{- define "bouncekeeper.name" -}}
{{- printf "%s-%s" (include "bouncekeeper.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{/* By these a process finds its pods; they never change. */}}
{{- define "bouncekeeper.selector" -}}
app.kubernetes.io/name: bouncekeeper
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "bouncekeeper.labels" -}}
{{ include "bouncekeeper.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Values.image.tag | default (index . 0).Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "bouncekeeper.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/*
The pod of a process: (dict "root" . "process" "receiver" "port" 8025 "sections" (list "receiver") "probes" (dict …)).
`port` 0: it does not listen. All pods are made here, so that none has rights that the others lack.
*/}}
{{- define "bouncekeeper.pod" -}}
{{- $root := .root -}}
{{- $process := .process -}}
{{- $values := index $root.Values $process -}}
{{- $pods := mergeOverwrite (deepCopy $root.Values.pods) (deepCopy $values.pods) -}}
{{- $folder := "/run/secrets/bouncekeeper" -}}
{{- $queue := and (eq $root.Values.queue.adapter "rabbitmq") (ne $process "migrate") -}}
metadata:
  labels:
    {{- include "bouncekeeper.labels" (list $root $process) | nindent 4 }}
    {{- with $pods.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Another configuration makes other pods: a process reads its own when it starts.
    checksum/config: {{ $root.Values.config | sha256sum }}
    {{- with $pods.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  {{- with $pods.serviceAccountName }}
  serviceAccountName: {{ . | quote }}
  {{- end }}
  enableServiceLinks: false  # else Kubernetes invents variables that look like settings
  automountServiceAccountToken: false
  {{- with $pods.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- if eq $process "migrate" }}
  restartPolicy: OnFailure
  {{- else }}
  terminationGracePeriodSeconds: {{ int $values.terminationGracePeriodSeconds }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001  # the group of the secrets' files
    seccompProfile: {type: RuntimeDefault}
  {{- with $pods.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pods.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pods.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $process "migrate" }}
  topologySpreadConstraints:
    {{- range ($pods.topologySpreadConstraints | default (list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway"))) }}
    - {{- toYaml . | nindent 6 }}
      labelSelector:
        matchLabels:
          {{- include "bouncekeeper.selector" (list $root $process) | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ $process }}
      image: {{ include "bouncekeeper.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [{{ $process }}]
      {{- if .port }}
      ports:
        - {name: http, containerPort: {{ .port }}, protocol: TCP}
      {{- end }}
      env:
        - {name: BOUNCEKEEPER_CONFIG, value: /etc/bouncekeeper/bouncekeeper.toml}
        - {name: BOUNCEKEEPER_DATA_DIRECTORY, value: /tmp}
        - {name: BOUNCEKEEPER_QUEUE_ADAPTER, value: {{ $root.Values.queue.adapter }}}
        - {name: BOUNCEKEEPER_POSTGRES_URL_FILE, value: {{ $folder }}/postgres_url}
        {{- if $queue }}
        - {name: BOUNCEKEEPER_QUEUE_URL_FILE, value: {{ $folder }}/queue_url}
        {{- end }}
        {{- if .port }}
        - {name: BOUNCEKEEPER_{{ upper $process }}_HOST, value: "0.0.0.0"}
        - {name: BOUNCEKEEPER_{{ upper $process }}_PORT, value: {{ .port | quote }}}
        {{- end }}
        {{- if and (eq $process "receiver") $values.trustedProxies }}
        - {name: BOUNCEKEEPER_RECEIVER_TRUSTED_PROXIES, value: {{ join "," $values.trustedProxies | quote }}}
        {{- end }}
        {{- if and (eq $process "api") $root.Values.secrets.apiTokens }}
        - name: BOUNCEKEEPER_API_TOKENS_FILES
          value: {{ range $number, $_ := $root.Values.secrets.apiTokens }}{{ if $number }},{{ end }}{{ $folder }}/api_token_{{ $number }}{{ end }}
        {{- end }}
        # For `doctor` and `sources test`, in whichever pod they run; `settings` may say otherwise.
        {{- range $served := ternary (list "receiver" "api") (list "receiver") $root.Values.api.enabled }}
        {{- $reached := printf "BOUNCEKEEPER_%s_REACHED_AT" (upper $served) }}
        {{- if not (hasKey $values.settings $reached) }}
        - {name: {{ $reached }}, value: "http://{{ include "bouncekeeper.name" (list $root $served) }}:{{ int (index $root.Values $served).service.port }}"}
        {{- end }}
        {{- end }}
        {{- range $name, $value := $values.settings }}
        - {name: {{ $name }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}}
        {{- end }}
      {{- if .port }}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 1
        # A processor waits for Postgres before it listens: to restart it meanwhile would only delay it.
        failureThreshold: {{ ternary 60 600 .served }}
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: {{ ternary 3 10 .served }}
        timeoutSeconds: 5
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      {{- end }}
      {{- if .served }}
      # The Service stops sending before the process stops listening.
      lifecycle: {preStop: {exec: {command: [sleep, "5"]}}}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: config, mountPath: /etc/bouncekeeper, readOnly: true}
        - {name: secrets, mountPath: {{ $folder }}, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: config
      configMap:
        name: {{ include "bouncekeeper.name" (list $root (ternary "migrate" "config" (eq $process "migrate"))) }}
    - name: secrets
      projected:
        defaultMode: 0440  # the group reads it, and nobody else
        sources:
          {{- $postgres := $values.postgresUrl | default $root.Values.secrets.postgresUrl }}
          - secret: {name: {{ $postgres.name | quote }}, items: [{key: {{ $postgres.key | quote }}, path: postgres_url}]}
          {{- if $queue }}
          {{- $url := $values.queueUrl | default $root.Values.secrets.queueUrl }}
          - secret: {name: {{ $url.name | quote }}, items: [{key: {{ $url.key | quote }}, path: queue_url}]}
          {{- end }}
          {{- if eq $process "api" }}
          {{- range $number, $token := $root.Values.secrets.apiTokens }}
          - secret: {name: {{ $token.name | quote }}, items: [{key: {{ $token.key | quote }}, path: api_token_{{ $number }}}]}
          {{- end }}
          {{- end }}
          {{- range $root.Values.secrets.files }}
          {{- if has $process (.processes | default (list "receiver" "processor" "mailbox")) }}
          - secret: {name: {{ .name | quote }}, items: [{key: {{ .key | quote }}, path: {{ .file | quote }}}]}
          {{- end }}
          {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
{{- end -}}

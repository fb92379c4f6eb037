{{- define "kuberay-operator.name" -}}
{{ .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kuberay-operator.fullname" -}}
{{- $name := include "kuberay-operator.name" . -}}
{{- $made := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{ .Values.fullnameOverride | default $made | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kuberay-operator.serviceAccountName" -}}
{{- $unnamed := ternary (include "kuberay-operator.fullname" .) "default" .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default $unnamed }}
{{- end }}

{{- define "kuberay-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kuberay-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kuberay-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "kuberay-operator.selectorLabels" . }}
app.kubernetes.io/component: {{ .Values.componentOverride | default .Chart.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The watched namespaces as a JSON list; empty: all of them. */}}
{{- define "kuberay-operator.watchedNamespaces" -}}
{{- $own := ternary (list .Release.Namespace) list .Values.singleNamespaceInstall -}}
{{ .Values.watchNamespace | default $own | toJson }}
{{- end }}

{{/* The operator's settings by their names in its configuration file. */}}
{{- define "kuberay-operator.settings" -}}
enableLeaderElection: {{ .Values.leaderElectionEnabled }}
enableMetrics: {{ .Values.metrics.enabled }}
useKubernetesProxy: {{ .Values.useKubernetesProxy }}
reconcileConcurrency: {{ .Values.reconcileConcurrency | toJson }}
qps: {{ .Values.kubeClient.qps | toJson }}
burst: {{ .Values.kubeClient.burst | toJson }}
logStdoutEncoder: {{ .Values.logging.stdoutEncoder }}
logFileEncoder: {{ .Values.logging.fileEncoder }}
{{- with include "kuberay-operator.watchedNamespaces" . | fromJsonArray }}
watchNamespace: {{ join "," . | quote }}
{{- end }}
{{- with .Values.batchScheduler.name }}
batchScheduler: {{ . }}
{{- end }}
{{- if .Values.batchScheduler.enabled }}
enableBatchScheduler: true
{{- end }}
{{- if and .Values.logging.baseDir .Values.logging.fileName }}
logFile: {{ printf "%s/%s" .Values.logging.baseDir .Values.logging.fileName | quote }}
{{- end }}
{{- end }}

{{/* The same settings as command line flags, and the feature gates, which only go there. */}}
{{- define "kuberay-operator.args" -}}
{{- $flags := dict
  "enableLeaderElection" "enable-leader-election" "enableMetrics" "enable-metrics" "useKubernetesProxy" "use-kubernetes-proxy"
  "reconcileConcurrency" "reconcile-concurrency" "qps" "qps" "burst" "burst" "logStdoutEncoder" "log-stdout-encoder"
  "logFileEncoder" "log-file-encoder" "watchNamespace" "watch-namespace" "batchScheduler" "batch-scheduler"
  "enableBatchScheduler" "enable-batch-scheduler" "logFile" "log-file-path" -}}
{{- $args := list -}}
{{- if .Values.configuration.enabled -}}
  {{- $args = append $args "--config=/etc/kuberay/config.yaml" -}}
{{- else -}}
  {{- range $setting, $value := include "kuberay-operator.settings" . | fromYaml -}}
    {{- $args = append $args (printf "--%s=%s" (get $flags $setting) ($value | toJson | trimAll "\"")) -}}
  {{- end -}}
{{- end -}}
{{- $gates := list -}}
{{- range .Values.featureGates -}}
  {{- $gates = append $gates (printf "%s=%t" .name .enabled) -}}
{{- end -}}
{{- with $gates -}}
  {{- $args = append $args (printf "--feature-gates=%s" (join "," .)) -}}
{{- end -}}
{{ toYaml $args }}
{{- end }}

{{/* What the operator may do: its own published role, and the pod groups of a batch scheduler. */}}
{{- define "kuberay-operator.rules" -}}
{{ toYaml (.Files.Get "files/role.yaml" | fromYaml).rules }}
{{- $groups := dict "volcano" "scheduling.volcano.sh" "scheduler-plugins" "scheduling.x-k8s.io" -}}
{{- $scheduler := ternary "volcano" .Values.batchScheduler.name .Values.batchScheduler.enabled -}}
{{- with get $groups $scheduler }}
- apiGroups: [{{ . }}]
  resources: [podgroups]
  verbs: [create, delete, get, list, update, watch]
{{- end }}
{{- end }}

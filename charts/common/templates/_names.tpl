{{/* Name of a component's objects. Usage: {{ include "common.component" (list . "mlflow") }} */}}
{{- define "common.component" -}}
{{- $context := index . 0 -}}
{{- printf "%s-%s" $context.Release.Name (index . 1) | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* Host name of a component's Service, good in every namespace. Usage: {{ include "common.host" (list . "mlflow") }} */}}
{{- define "common.host" -}}
{{- $context := index . 0 -}}
{{- printf "%s.%s.svc" (include "common.component" .) $context.Release.Namespace -}}
{{- end }}

{{/* Labels that select a component's pods. Usage: {{ include "common.selectorLabels" (list . "api") }} */}}
{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: trainyard
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All recommended labels. Usage: {{ include "common.labels" (list . "api") }} */}}
{{- define "common.labels" -}}
{{- $context := index . 0 -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/part-of: trainyard
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
app.kubernetes.io/version: {{ $context.Chart.AppVersion | default $context.Chart.Version | quote }}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" }}
{{- with $context.Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The metadata of an object that belongs to a component: name, namespace, labels.
Usage: {{ include "common.metadata" (list . "api") }}, or (list . "api" "settings") for <release>-settings of the component api.
*/}}
{{- define "common.metadata" -}}
{{- $context := index . 0 -}}
{{- $component := index . 1 -}}
name: {{ include "common.component" (list $context (ternary (last .) $component (gt (len .) 2))) }}
namespace: {{ $context.Release.Namespace }}
labels:
  {{- include "common.labels" (list $context $component) | nindent 2 }}
{{- end }}

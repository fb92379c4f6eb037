{{/*
The enabled teams with everything filled in, as JSON: {"items": [{"name", "namespace", "createNamespace", "serviceAccount", "queue", "priorityClass", ...}]}.
Usage: {{ range (include "common.teams" . | fromJson).items }}
*/}}
{{- define "common.teams" -}}
{{- $items := list -}}
{{- $withKueue := eq (include "common.kueue.enabled" .) "true" -}}
{{- range $name, $given := .Values.global.teams -}}
{{- $team := $given | default dict -}}
{{- if ne (toString $team.enabled) "false" -}}
{{- $namespace := $team.namespace | default dict -}}
{{- $quota := $team.quota | default dict -}}
{{- $queued := and $withKueue (gt (len $quota) 0) -}}
{{- $priority := $team.priority | default "normal" -}}
{{- $items = append $items (dict
  "name" $name
  "namespace" ($namespace.name | default (printf "%s-%s" $.Release.Namespace $name))
  "createNamespace" (ne (toString $namespace.create) "false")
  "serviceAccount" (printf "%s-job" $.Release.Name)
  "serviceAccountAnnotations" ($team.serviceAccountAnnotations | default dict)
  "allowedTemplates" ($team.allowedTemplates | default list)
  "allowedImages" ($team.allowedImages | default list)
  "maxJobs" $team.maxJobs
  "warm" ($team.warm | default list)
  "quota" $quota
  "borrowing" ($team.borrowing | default dict)
  "weight" ($team.weight | default 1)
  "queued" $queued
  "queue" (ternary (printf "%s-%s" $.Release.Name $name) "" $queued)
  "priority" $priority
  "priorityClass" (ternary (printf "%s-%s" $.Release.Name $priority) "" $queued)
) -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end }}

{{/* "true" when queues are to be rendered: asked for, or Kueue is found in the cluster. */}}
{{- define "common.kueue.enabled" -}}
{{- if eq (toString .Values.global.kueue.enabled) "auto" -}}
{{- .Capabilities.APIVersions.Has "kueue.x-k8s.io/v1beta2/ClusterQueue" -}}
{{- else -}}
{{- .Values.global.kueue.enabled -}}
{{- end -}}
{{- end }}

{{/* "true" when some team has a queue, so that what queues need is needed too. */}}
{{- define "common.kueue.used" -}}
{{- $used := false -}}
{{- range (include "common.teams" . | fromJson).items }}{{ if .queued }}{{ $used = true }}{{ end }}{{ end -}}
{{- $used -}}
{{- end }}

{{/*
Peers of a network policy in the release's namespace: the named components.
Usage: {{ include "common.peers" (list . (list "api" "controller")) }}
*/}}
{{- define "common.peers" -}}
{{- $context := index . 0 -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: trainyard
      app.kubernetes.io/instance: {{ $context.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{ toJson (index . 1) }}
{{- end }}

{{/* Peers: every pod of every team. Nothing where there is no team. */}}
{{- define "common.peers.teams" -}}
{{- $namespaces := list -}}
{{- range (include "common.teams" . | fromJson).items }}{{ $namespaces = append $namespaces .namespace }}{{ end -}}
{{- with $namespaces }}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ toJson (. | uniq | sortAlpha) }}
{{- end }}
{{- end }}

{{/* What the portal reads when it starts. */}}
{{- define "frontend.portalSettings" -}}
{{- dict "auth" "token" "version" .Chart.AppVersion | toJson -}}
{{- end }}

{{- define "mlflow.allowedHosts" -}}
{{- $host := include "common.component" (list . "mlflow") -}}
{{- $names := list $host (printf "%s.%s" $host .Release.Namespace) (printf "%s.%s.svc" $host .Release.Namespace) (printf "%s.%s.svc.*" $host .Release.Namespace) -}}
{{- $hosts := list "localhost" "localhost:*" "127.0.0.1" "127.0.0.1:*" -}}
{{- range $names }}{{ $hosts = concat $hosts (list . (printf "%s:*" .)) }}{{ end -}}
{{- join "," (concat $hosts .Values.allowedHosts) -}}
{{- end }}

{{- define "mlflow.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "common.component" (list . "mlflow") }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - {{- include "common.database.password" (list . "mlflow") | nindent 4 }}
  {{- include "common.objectStore.credentials" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Where the components and their external alternatives are, from `global`. Each takes the root context. */}}

{{- define "common.database.host" -}}
{{- .Values.global.database.host | default (include "common.host" (list . "postgres")) -}}
{{- end }}

{{- define "common.database.secret" -}}
{{- .Values.global.database.existingSecret | default (include "common.component" (list . "postgres")) -}}
{{- end }}

{{/* SQLAlchemy URL without the password, which libpq takes from PGPASSWORD. Usage: {{ include "common.database.url" (list . "platform") }} */}}
{{- define "common.database.url" -}}
{{- $context := index . 0 -}}
{{- $database := $context.Values.global.database -}}
{{- $role := index $database (index . 1) -}}
{{- printf "postgresql+psycopg2://%s@%s:%d/%s?sslmode=%s" $role.user (include "common.database.host" $context) (int $database.port) $role.name $database.sslMode -}}
{{- end }}

{{/* Usage: {{ include "common.database.password" (list . "platform") }} */}}
{{- define "common.database.password" -}}
name: PGPASSWORD
valueFrom:
  secretKeyRef:
    name: {{ include "common.database.secret" (index . 0) }}
    key: {{ printf "%s-password" (index . 1) }}
{{- end }}

{{- define "common.objectStore.endpoint" -}}
{{- .Values.global.objectStore.endpoint | default (printf "http://%s:9000" (include "common.host" (list . "minio"))) -}}
{{- end }}

{{- define "common.objectStore.secret" -}}
{{- .Values.global.objectStore.existingSecret | default (include "common.component" (list . "minio")) -}}
{{- end }}

{{/* Environment entries with the object store's keys. */}}
{{- define "common.objectStore.credentials" -}}
{{- range $key := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef:
      name: {{ include "common.objectStore.secret" $ }}
      key: {{ $key }}
{{- end }}
{{- end }}

{{- define "common.mlflow.url" -}}
{{- .Values.global.mlflow.url | default (printf "http://%s:5000/mlflow" (include "common.host" (list . "mlflow"))) -}}
{{- end }}

{{/* For browsers: relative to the entrance while its public address is not known. */}}
{{- define "common.mlflow.publicUrl" -}}
{{- if .Values.global.mlflow.url -}}
{{- .Values.global.mlflow.publicUrl | default .Values.global.mlflow.url -}}
{{- else -}}
{{- printf "%s/mlflow" (.Values.global.publicUrl | trimSuffix "/") -}}
{{- end -}}
{{- end }}

{{- define "common.auth.secret" -}}
{{- .Values.global.auth.existingSecret | default (include "common.component" (list . "auth")) -}}
{{- end }}

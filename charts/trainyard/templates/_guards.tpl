{{/* Combinations that cannot work, each with one sentence that says what to change. */}}
{{- define "trainyard.guards" -}}
{{- $global := .Values.global -}}
{{- if gt (len .Release.Name) 40 }}{{ fail (printf "the release's name %q is longer than 40 characters: names made from it would be cut; choose a shorter one" .Release.Name) }}{{ end -}}

{{- if and .Values.postgres.enabled $global.database.host }}{{ fail "postgres.enabled and global.database.host are both set: set postgres.enabled=false to use your own PostgreSQL, or leave the host empty" }}{{ end -}}
{{- if not (or .Values.postgres.enabled $global.database.host) }}{{ fail "there is no database: set global.database.host to your PostgreSQL, or postgres.enabled=true" }}{{ end -}}
{{- if and $global.database.host (not $global.database.existingSecret) }}{{ fail "global.database.host needs global.database.existingSecret: a Secret with the keys platform-password and mlflow-password" }}{{ end -}}
{{- if eq $global.database.platform.name $global.database.mlflow.name }}{{ fail "global.database.platform.name and global.database.mlflow.name must differ: MLflow's tables and the platform's do not share a database" }}{{ end -}}
{{- if and .Values.postgres.enabled (eq $global.database.platform.user $global.database.mlflow.user) }}{{ fail "global.database.platform.user and global.database.mlflow.user must differ for the bundled PostgreSQL" }}{{ end -}}

{{- if and .Values.minio.enabled $global.objectStore.endpoint }}{{ fail "minio.enabled and global.objectStore.endpoint are both set: set minio.enabled=false to use your own S3 service, or leave the endpoint empty" }}{{ end -}}
{{- if not (or .Values.minio.enabled $global.objectStore.endpoint) }}{{ fail "there is no object store: set global.objectStore.endpoint to your S3 service, or minio.enabled=true" }}{{ end -}}
{{- if and $global.objectStore.endpoint (not $global.objectStore.existingSecret) }}{{ fail "global.objectStore.endpoint needs global.objectStore.existingSecret: a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, here and in every team's namespace" }}{{ end -}}

{{- if and .Values.mlflow.enabled $global.mlflow.url }}{{ fail "mlflow.enabled and global.mlflow.url are both set: set mlflow.enabled=false to use your own MLflow, or leave the URL empty" }}{{ end -}}
{{- if not (or .Values.mlflow.enabled $global.mlflow.url) }}{{ fail "there is no MLflow: set global.mlflow.url to yours, or mlflow.enabled=true" }}{{ end -}}

{{- if and .Values.frontend.enabled (not .Values.api.enabled) }}{{ fail "frontend.enabled needs api.enabled: the portal shows what the API says" }}{{ end -}}
{{- if and .Values.frontend.enabled .Values.frontend.ingress.enabled (not .Values.frontend.ingress.hosts) }}{{ fail "frontend.ingress.enabled needs frontend.ingress.hosts: name the hosts that the Ingress answers to" }}{{ end -}}
{{- if and .Values.frontend.enabled .Values.frontend.httpRoute.enabled (not .Values.frontend.httpRoute.parentRefs) }}{{ fail "frontend.httpRoute.enabled needs frontend.httpRoute.parentRefs: name the Gateway that the route is attached to" }}{{ end -}}
{{- if and .Values.api.enabled .Values.api.autoscaling.enabled (gt (int .Values.api.autoscaling.minReplicas) (int .Values.api.autoscaling.maxReplicas)) }}{{ fail "api.autoscaling.minReplicas is above api.autoscaling.maxReplicas" }}{{ end -}}
{{- if and .Values.api.enabled (not .Values.api.controller.serviceAccount.create) (not .Values.api.controller.serviceAccount.name) }}{{ fail "api.controller.serviceAccount.create=false needs api.controller.serviceAccount.name: the account that the controller acts as" }}{{ end -}}
{{- range $name := list "postgres" "minio" }}
{{- $persistence := (index $.Values $name).persistence | default dict -}}
{{- if and (index $.Values $name).enabled $persistence.existingClaim (not $persistence.enabled) }}{{ fail (printf "%s.persistence.existingClaim needs %s.persistence.enabled=true" $name $name) }}{{ end -}}
{{- end }}
{{- include "trainyard.guards.teams" . -}}
{{- end }}

{{- define "trainyard.guards.teams" -}}
{{- $teams := (include "common.teams" . | fromJson).items -}}
{{- if not $teams }}{{ fail "global.teams has no enabled team: jobs need one to belong to" }}{{ end -}}
{{- $seen := dict -}}
{{- range $teams -}}
{{- if eq .namespace $.Release.Namespace }}{{ fail (printf "global.teams.%s.namespace.name is the release's own namespace: jobs must not run beside the databases; choose another" .name) }}{{ end -}}
{{- if hasKey $seen .namespace }}{{ fail (printf "global.teams.%s and global.teams.%s have the same namespace %s: give each its own" (index $seen .namespace) .name .namespace) }}{{ end -}}
{{- $_ := set $seen .namespace .name -}}
{{- if not (hasKey $.Values.global.kueue.priorities .priority) }}{{ fail (printf "global.teams.%s.priority is %s, which is none of global.kueue.priorities (%s)" .name .priority (keys $.Values.global.kueue.priorities | sortAlpha | join ", ")) }}{{ end -}}
{{- if and .queued (not (and .quota.cpu .quota.memory)) }}{{ fail (printf "global.teams.%s.quota needs cpu and memory: Kueue admits no job that asks for what the quota does not name" .name) }}{{ end -}}
{{- if and .borrowing (not .quota) }}{{ fail (printf "global.teams.%s.borrowing needs a quota: there is nothing to go beyond" .name) }}{{ end -}}
{{- end -}}
{{- end }}

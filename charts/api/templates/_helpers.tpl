{{/* What the API and the controller read as their teams file. */}}
{{- define "api.teams" -}}
{{- $teams := list -}}
{{- range (include "common.teams" . | fromJson).items -}}
{{- $limit := .maxJobs -}}
{{- if $limit }}{{ $limit = int $limit }}{{ end -}}
{{- $teams = append $teams (dict
  "name" .name
  "namespace" .namespace
  "queue" (.queue | default nil)
  "priorityClass" (.priorityClass | default nil)
  "serviceAccount" .serviceAccount
  "allowedTemplates" (.allowedTemplates | default nil)
  "allowedImages" (.allowedImages | default nil)
  "maxJobs" $limit
  "warm" .warm
) -}}
{{- end -}}
{{- toPrettyJson $teams -}}
{{- end }}

{{/* Annotations that roll the pods when their settings change. */}}
{{- define "api.checksums" -}}
checksum/settings: {{ include (print $.Template.BasePath "/settings/configmap.yaml") . | sha256sum }}
checksum/teams: {{ include "api.teams" . | sha256sum }}
{{- end }}

{{/* Environment of both processes. */}}
{{- define "api.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "common.component" (list . "settings") }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - {{- include "common.database.password" (list . "platform") | nindent 4 }}
  {{- include "common.objectStore.credentials" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "api.mounts" -}}
volumeMounts:
  - name: teams
    mountPath: /etc/trainyard/teams
    readOnly: true
  - name: auth
    mountPath: /etc/trainyard/auth
    readOnly: true
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "api.volumes" -}}
volumes:
  - name: teams
    configMap:
      name: {{ include "common.component" (list . "teams") }}
  - name: auth
    secret:
      secretName: {{ include "common.auth.secret" . }}
      items:
        - key: token
          path: token
  - name: tmp
    emptyDir:
      sizeLimit: {{ .Values.scratch.sizeLimit | quote }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "api.controller.serviceAccount" -}}
{{- .Values.controller.serviceAccount.name | default (include "common.component" (list . "controller")) -}}
{{- end }}

{{/* Cluster-wide names hold the namespace, so that two releases of one name do not share them. */}}
{{- define "api.clusterRole" -}}
{{- printf "%s-%s-controller" .Release.Namespace .Release.Name -}}
{{- end }}

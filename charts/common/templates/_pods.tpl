{{/* An image's reference, `:tag@digest` as far as given. Usage: {{ include "common.image" (list . .Values.image) }} */}}
{{- define "common.image" -}}
{{- $context := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := $image.registry | default $context.Values.global.imageRegistry -}}
{{- $reference := printf "%s:%s" $image.repository ($image.tag | default $context.Chart.AppVersion) -}}
{{- with $registry }}{{ $reference = printf "%s/%s" . $reference }}{{ end -}}
{{- with $image.digest }}{{ $reference = printf "%s@%s" $reference . }}{{ end -}}
{{- $reference -}}
{{- end }}

{{/* Usage: {{ include "common.pullPolicy" (list . .Values.image) }} */}}
{{- define "common.pullPolicy" -}}
{{- (index . 1).pullPolicy | default (index . 0).Values.global.imagePullPolicy -}}
{{- end }}

{{/* What every pod of ours has besides its containers: who it runs as, where it runs. Usage: {{ include "common.pod" . }} */}}
{{- define "common.pod" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
enableServiceLinks: false
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* A container's image, policy and security context. Usage: {{ include "common.container" (list . .Values.image) }} */}}
{{- define "common.container" -}}
image: {{ include "common.image" . | quote }}
imagePullPolicy: {{ include "common.pullPolicy" . }}
securityContext:
  {{- toYaml (index . 0).Values.securityContext | nindent 2 }}
{{- end }}

{{/* A claim template or claim, from a `persistence` section. Usage: {{ include "common.claimSpec" . }} */}}
{{- define "common.claimSpec" -}}
accessModes:
  {{- toYaml .Values.persistence.accessModes | nindent 2 }}
{{- with .Values.persistence.storageClass | default .Values.global.storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size | quote }}
{{- end }}

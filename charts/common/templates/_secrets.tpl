{{/*
The value of a key in a Secret that this chart makes, base64-encoded: what the cluster has already, so that upgrades change nothing, else a new random one.
Usage: {{ include "common.generated" (list . "trainyard-minio" "AWS_SECRET_ACCESS_KEY" 32) }}
*/}}
{{- define "common.generated" -}}
{{- $context := index . 0 -}}
{{- $existing := lookup "v1" "Secret" $context.Release.Namespace (index . 1) | default dict -}}
{{- $data := $existing.data | default dict -}}
{{- index $data (index . 2) | default (randAlphaNum (int (index . 3)) | b64enc) -}}
{{- end }}

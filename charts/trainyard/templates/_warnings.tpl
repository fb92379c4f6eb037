{{/* Choices that work and should be known, one line each. */}}
{{- define "trainyard.warnings" -}}
{{- $global := .Values.global -}}
{{- $found := list -}}
{{- $tls := or (hasPrefix "https://" $global.publicUrl) (and .Values.frontend.enabled .Values.frontend.ingress.enabled (gt (len .Values.frontend.ingress.tls) 0)) -}}
{{- $exposed := and .Values.frontend.enabled (or .Values.frontend.ingress.enabled (ne .Values.frontend.service.type "ClusterIP")) -}}
{{- if and $exposed (not $tls) }}{{ $found = append $found "the portal is reachable from outside without TLS: tokens travel in the clear. Set frontend.ingress.tls." }}{{ end -}}
{{- if and .Values.frontend.enabled (not .Values.frontend.mlflowAuth.enabled) .Values.mlflow.enabled }}{{ $found = append $found "everybody who reaches the entrance may read and change all of MLflow: frontend.mlflowAuth.enabled is false." }}{{ end -}}
{{- if not $global.networkPolicy.enabled }}{{ $found = append $found "every pod of the cluster may reach the database, the object store and MLflow: global.networkPolicy.enabled is false." }}{{ end -}}
{{- range $name := list "postgres" "minio" }}
{{- if and (index $.Values $name).enabled (not (dig "persistence" "enabled" true (index $.Values $name))) }}{{ $found = append $found (printf "%s keeps its data only as long as its pod lives: %s.persistence.enabled is false." $name $name) }}{{ end -}}
{{- end }}
{{- if and $global.database.host (has $global.database.sslMode (list "disable" "allow" "prefer")) }}{{ $found = append $found (printf "the database's passwords and data may travel in the clear: global.database.sslMode is %s; verify-full is the safe one." $global.database.sslMode) }}{{ end -}}
{{- if and $global.objectStore.endpoint (hasPrefix "http://" $global.objectStore.endpoint) }}{{ $found = append $found "the object store is spoken to without TLS: global.objectStore.endpoint begins with http://." }}{{ end -}}
{{- if and .Values.api.enabled (not .Values.api.rbac.clusterScope) }}{{ $found = append $found "free capacity is shown without what others take: api.rbac.clusterScope is false." }}{{ end -}}
{{- with $found }}
Worth knowing
{{- range . }}
  - {{ . }}
{{- end }}
{{- end }}
{{- end }}

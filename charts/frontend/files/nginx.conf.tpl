worker_processes {{ .Values.workers }};
pid /tmp/nginx.pid;
error_log stderr warn;

events {
    worker_connections 4096;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    log_format line '$remote_addr "$request_method $uri" $status $body_bytes_sent $request_time';
    access_log /dev/stdout line;
    server_tokens off;
    sendfile on;
    # The portal brings its files packed as well.
    gzip_static on;
    gzip on;
    gzip_vary on;
    gzip_min_length 1024;
    gzip_types text/css text/plain application/javascript application/json image/svg+xml;

    # Only these folders are written.
    client_body_temp_path /tmp/client-body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;

    map $uri $cache_control {
        ~^/assets/ "public, max-age=31536000, immutable";
        default "no-cache";
    }

    # The scheme that the browser used, when a proxy before this one says so.
    map $http_x_forwarded_proto $public_scheme {
        default $scheme;
        ~^https?$ $http_x_forwarded_proto;
    }

    # A page of another origin may not act as the user: 1 when the Origin header names a host that is not the one asked.
    map "$http_origin|$http_host" $foreign_origin {
        default 1;
        ~^\| 0;
        "~^https?://(?<asked>[^|]+)\|\k<asked>$" 0;
    }

    # Uploads of any size go straight through; nothing is spooled here.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    proxy_connect_timeout 5s;
    proxy_read_timeout 300s;
    proxy_send_timeout 300s;

    # The addresses of these Services do not change while they exist, so a name that is looked up once is enough.
    upstream api {
        server {{ include "common.host" (list . "api") }}:8000;
        keepalive 32;
    }
    {{- if not .Values.global.mlflow.url }}
    upstream mlflow {
        server {{ include "common.host" (list . "mlflow") }}:5000;
        keepalive 16;
    }
    {{- end }}

    server {
        listen 8080;
        {{- if .Values.ipv6 }}
        listen [::]:8080;
        {{- end }}
        root /usr/share/trainyard/portal;

        # Answers with what the entrance itself knows; /healthz and /readyz are the API's.
        location = /entrance {
            access_log off;
            default_type text/plain;
            return 200 "ok\n";
        }

        location = /config.json {
            alias /etc/trainyard/portal/config.json;
            add_header Cache-Control "no-cache" always;
            add_header X-Content-Type-Options "nosniff" always;
        }

        # Server-sent events: as they come, for as long as they last.
        location ~ ^/api/v1/jobs/[^/]+/(events|logs|metrics)/stream$ {
            proxy_pass http://api;
            include /etc/nginx/api.conf;
            proxy_buffering off;
            proxy_read_timeout 3600s;
            gzip off;
        }

        location ~ ^/(api/|healthz$|readyz$|openapi\.json$) {
            proxy_pass http://api;
            include /etc/nginx/api.conf;
        }
        {{- if .Values.global.mlflow.url }}

        location /mlflow {
            return 302 {{ include "common.mlflow.publicUrl" . }};
        }
        {{- else }}

        location = /mlflow {
            absolute_redirect off;
            return 308 /mlflow/;
        }

        location /mlflow/ {
            if ($foreign_origin) {
                return 403;
            }
            {{- if .Values.mlflowAuth.enabled }}
            auth_basic "Trainyard: user trainyard, password is the API's token";
            auth_basic_user_file /etc/trainyard/auth/htpasswd;
            {{- end }}
            proxy_pass http://mlflow;
            # MLflow answers to the names of its Service; origins were compared above.
            proxy_set_header Host {{ include "common.host" (list . "mlflow") }}:5000;
            proxy_set_header Origin "";
            proxy_set_header Authorization "";
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $public_scheme;
            proxy_buffering off;
        }
        {{- end }}

        location /assets/ {
            try_files $uri =404;
            include /etc/nginx/portal.conf;
        }

        location / {
            try_files $uri /index.html;
            include /etc/nginx/portal.conf;
        }
    }
}

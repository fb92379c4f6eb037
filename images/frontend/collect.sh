#!/bin/bash
# collect.sh FOLDER: nginx and the libraries that it loads, with their licences and package records (for scanners), as a root file system.
set -euo pipefail
root=$1
mkdir -p "$root"/{etc/nginx,tmp,usr/sbin,usr/lib,usr/lib64,var/lib/dpkg/status.d}
chmod 1777 "$root/tmp"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
echo 'nginx:x:101:101:nginx:/nonexistent:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'nginx:x:101:' > "$root/etc/group"
cp /etc/nginx/mime.types "$root/etc/nginx/"
libraries=$(ldd /usr/sbin/nginx | grep -o '/[^ ]*')
for file in /usr/sbin/nginx $libraries; do
    cp --dereference --parents "$(realpath --no-symlinks "$file" | sed 's#^/lib#/usr/lib#')" "$root"
done
for package in nginx-light $(dpkg-query --search /usr/sbin/nginx $(realpath $libraries) 2>/dev/null | cut -d: -f1 | sort -u); do
    dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"
    install -D --mode=0644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

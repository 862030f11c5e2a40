#!/usr/bin/env bash
# Prints, as a tar archive, a small root that stands in for Lambda's provided.al2023 image where no
# registry can be reached: a shell with what SAM's emulator layer calls, this machine's C library, its CA bundle.
# It is not Amazon Linux: whether the binary starts there is checked by its newest GLIBC symbol.
set -euo pipefail

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc/ssl/certs,etc/pki/tls/certs,var/task,var/runtime,var/rapid,opt,tmp,usr/bin}
chmod 1777 "$root/tmp"

cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh mv chmod cp rm ls cat mkdir env id; do ln -s busybox "$root/bin/$tool"; done

# Each at the very path where this machine's dynamic linker looks.
for library in ld-linux libc.so libm.so libgcc_s libpthread libdl librt libresolv libnss_dns libnss_files; do
  while read -r path; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -L "$path" "$root$path"
  done < <(ldconfig -p | sed -n "s|.*$library.* => ||p" | sort -u)
done
interpreter=$(readelf -l "$(command -v bash)" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
mkdir -p "$root$(dirname "$interpreter")"
cp -L "$interpreter" "$root$interpreter"

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/pki/tls/certs/ca-bundle.crt"
echo 'root:x:0:0:root:/tmp:/bin/sh' > "$root/etc/passwd"
tar -C "$root" -c .

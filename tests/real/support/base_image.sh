#!/usr/bin/env bash
# Prints a small root file system as a tar archive. It replaces Lambda's provided.al2023 image if no registry is
# reachable: a shell with the commands of SAM's emulator layer, this machine's C library and its CA bundle. It is not
# Amazon Linux, so the newest GLIBC symbol of the binary is checked separately.
set -euo pipefail

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc/ssl/certs,etc/pki/tls/certs,var/task,var/runtime,var/rapid,opt,tmp,usr/bin}
chmod 1777 "$root/tmp"

cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh mv chmod cp rm ls cat mkdir env id; do ln -s busybox "$root/bin/$tool"; done

# Each library has the path where this machine's dynamic linker searches for it.
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

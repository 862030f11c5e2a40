#!/usr/bin/env bash
# artifact.sh PROGRAM fails if Lambda cannot run PROGRAM, or if its archive exceeds 4 MiB.
set -euo pipefail
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
zip -q9j "$folder/bootstrap.zip" "$program"
glibc=$(objdump -T "$program" | grep -o 'GLIBC_2\.[0-9]*' | sort -V | tail -1)
echo "$program: $(stat -c %s "$program") bytes, zipped $(stat -c %s "$folder/bootstrap.zip") bytes, needs $glibc"
# Lambda's Amazon Linux 2023 has glibc 2.34.
[ "$(printf '%s\n' "$glibc" GLIBC_2.34 | sort -V | tail -1)" = GLIBC_2.34 ]
[ "$(stat -c %s "$folder/bootstrap.zip")" -le $((4 * 1024 * 1024)) ]

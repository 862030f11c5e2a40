#!/bin/sh
# Builds roomkey, the harness and every target of the comparison. Unchanged targets are not rebuilt.
#
# Debian's packages for the Node runtime client: cmake autoconf automake libtool pkg-config unzip
# libcurl4-openssl-dev.
set -eu
cd "$(dirname "$0")"
bench=$PWD

say() { printf '\n== %s\n' "$1"; }

say "roomkey"
(cd .. && cargo build --release --locked)
for crate in hello harness sample; do
    say "$crate"
    # Inside the folder, because each crate has its own settings for cargo.
    (cd "$bench/$crate" && cargo build --release --locked)
done

say "go"
(cd go && CGO_ENABLED=0 go build -mod=readonly -trimpath -tags lambda.norpc -ldflags "-s -w" -o target/bootstrap .)

say "python"
python/build.sh

say "node"
cd node
stamp=$(cksum <package-lock.json)
if [ "$(cat node_modules/.stamp 2>/dev/null || true)" != "$stamp" ]; then
    npm ci
    echo "$stamp" >node_modules/.stamp
fi
npm run --silent build

#!/bin/sh
# Builds the function into target/package like a deployment package, and the parts that Lambda's
# runtime provides into target/runtime.
set -eu
cd "$(dirname "$0")"
stamp=$(cat requirements.txt runtime.txt | cksum)
if [ "$(cat target/stamp 2>/dev/null || true)" != "$stamp" ]; then
    rm -rf target
    python3.11 -m venv target/venv
    pip="target/venv/bin/pip --quiet --disable-pip-version-check --no-input install --no-deps"
    $pip --target target/package/site-packages -r requirements.txt
    $pip --target target/runtime -r runtime.txt
    echo "$stamp" >target/stamp
fi
cp app.py bootstrap target/package/
chmod 755 target/package/bootstrap
target/venv/bin/python -m compileall -q target/package/app.py

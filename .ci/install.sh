#!/usr/bin/env bash
# Installs what the suites need and the machine does not have, in pinned versions: Debian packages, a Python
# environment in .ci/work, node modules in tests/real. Quick where all of it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .ci/work

missing=()
for package in binutils busybox-static chromium dbconfig-no-thanks docker.io fonts-dejavu-core glewlwyd iptables python3-venv zip; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Glewlwyd's package would set up a database server's tables for a service that nobody wants here.
  echo 'glewlwyd glewlwyd/config_type select No configuration' | debconf-set-selections
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > .ci/work/apt.log
fi

# A stamp holds the file that was installed, so that a changed file is installed again.
python_packages() {
  cmp -s tests/real/requirements.txt .ci/work/venv/installed.txt && return
  rm -rf .ci/work/venv
  python3 -m venv .ci/work/venv
  .ci/work/venv/bin/pip install -q --no-deps --disable-pip-version-check -r tests/real/requirements.txt
  ln -sfn "$(echo "$PWD"/.ci/work/venv/lib/python3*/site-packages/samcli/local/rapid)/aws-lambda-rie-$(uname -m | sed s/aarch64/arm64/)" \
    .ci/work/aws-lambda-rie
  cp tests/real/requirements.txt .ci/work/venv/installed.txt
}

node_packages() {
  cmp -s tests/real/package-lock.json tests/real/node_modules/installed.json && return
  (cd tests/real && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
  cp tests/real/package-lock.json tests/real/node_modules/installed.json
}

python_packages & python=$!
node_packages & node=$!
wait $python
wait $node

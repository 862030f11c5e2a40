#!/usr/bin/env bash
# Runs `sam build` like an operator for both processor architectures, and checks the results:
# .ci/work/build/ARCHITECTURE/TokenFunction/bootstrap. If Rust's arm64 target is unavailable, the script prints a
# message, writes rustup's output to .ci/work/build/arm64.unavailable and builds for x86_64 only.
set -euo pipefail
cd "$(dirname "$0")/.."
export SAM_CLI_TELEMETRY=0 AWS_EC2_METADATA_DISABLED=true AWS_DEFAULT_REGION=us-east-1

tools=$PWD/.ci/work/build-tools
built=.ci/work/build
limit=$((4 * 1024 * 1024))
rm -rf "$built"
mkdir -p "$built"

# cargo-lambda finds zig as a module of the first `python3`.
export PATH=$tools/bin:$PATH
# The build cache of zig belongs to this clone.
export ZIG_GLOBAL_CACHE_DIR=$PWD/.ci/work/zig CARGO_ZIGBUILD_CACHE_DIR=$PWD/.ci/work/zigbuild

# target TRIPLE installs the standard library for another architecture, unless it exists.
target() {
  [ -d "$(rustc --print target-libdir --target "$1")" ] || timeout 300 rustup target add "$1"
}

# fault WORDS ends the current build with a message.
fault() {
  echo "$architecture: $*" >&2
  exit 1
}

# build ARCHITECTURE TRIPLE MACHINE builds, and checks the result against Lambda's requirements. SAM's builder compiles
# in the source folder, with .cargo/config.toml and the target folder, so that compiled crates are reused.
build() {
  local architecture=$1 triple=$2 machine=$3 begin=$SECONDS
  local folder=$built/$architecture
  local program=$folder/TokenFunction/bootstrap zipped=$folder.zip
  .ci/work/venv/bin/sam build --build-dir "$folder" --parameter-overrides "Architecture=$architecture" \
    > "$folder.log" 2>&1 || { cat "$folder.log" >&2; return 1; }
  local took=$((SECONDS - begin)) found glibc library symbols
  found=$(readelf -h "$program" | sed -n 's/^ *Machine: *//p')
  glibc=$(readelf -V "$program" | grep -o 'GLIBC_2\.[0-9]*' | sort -V | tail -1)
  zip -q9j "$zipped" "$program"
  echo "$architecture: built in $took s for $found, $(stat -c %s "$program") bytes," \
    "zipped $(stat -c %s "$zipped") bytes, needs $glibc"

  [ "$found" = "$machine" ] || fault "not for $machine"
  # Lambda's Amazon Linux 2023 has glibc 2.34.
  [ "$(printf '%s\n' "$glibc" GLIBC_2.34 | sort -V | tail -1)" = GLIBC_2.34 ] || fault "Lambda does not provide $glibc"
  [ "$(stat -c %s "$zipped")" -le "$limit" ] || fault "the archive exceeds $limit bytes"
  # .cargo/config.toml disables aws-lc's jitter entropy. The program has no symbols, but its static library has them.
  library=$(ls -t "${CARGO_TARGET_DIR:-target}/$triple"/release/build/aws-lc-sys-*/out/libaws_lc_*_crypto.a | head -1)
  symbols=$(readelf -sW "$library")
  [[ $symbols != *jent_read_entropy* ]] || fault "aws-lc contains jitter entropy"
}

if target aarch64-unknown-linux-gnu 2> "$built/rustup.log"; then
  build arm64 aarch64-unknown-linux-gnu AArch64
else
  mv "$built/rustup.log" "$built/arm64.unavailable"
  echo "arm64: not built, because the Rust target aarch64-unknown-linux-gnu is unavailable"
fi
build x86_64 x86_64-unknown-linux-gnu 'Advanced Micro Devices X86-64'

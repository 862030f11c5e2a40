#!/usr/bin/env bash
# Runs `sam build`, as an operator does, for both of Lambda's processors, and checks what comes of it:
# .ci/work/build/ARCHITECTURE/TokenFunction/bootstrap. Where Rust's target for arm64 cannot be had, it says so, leaves
# rustup's reasons in .ci/work/build/arm64.unavailable and builds for x86_64 alone.
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
# What zig keeps from one build for the next one belongs to this clone.
export ZIG_GLOBAL_CACHE_DIR=$PWD/.ci/work/zig CARGO_ZIGBUILD_CACHE_DIR=$PWD/.ci/work/zigbuild

# target TRIPLE gets the standard library for another processor, unless it is there.
target() {
  [ -d "$(rustc --print target-libdir --target "$1")" ] || timeout 300 rustup target add "$1"
}

# fault WORDS ends the build that is being looked at.
fault() {
  echo "$architecture: $*" >&2
  exit 1
}

# build ARCHITECTURE TRIPLE MACHINE builds, and holds the result to what Lambda asks for. SAM's builder compiles where
# the sources are, with .cargo/config.toml and in the target folder, so that what is compiled stays.
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
  [ "$(printf '%s\n' "$glibc" GLIBC_2.34 | sort -V | tail -1)" = GLIBC_2.34 ] || fault "Lambda has no $glibc"
  [ "$(stat -c %s "$zipped")" -le "$limit" ] || fault "zipped, more than $limit bytes"
  # .cargo/config.toml turns aws-lc's jitter entropy off. The program has no symbols, the library in it has.
  library=$(ls -t "${CARGO_TARGET_DIR:-target}/$triple"/release/build/aws-lc-sys-*/out/libaws_lc_*_crypto.a | head -1)
  symbols=$(readelf -sW "$library")
  [[ $symbols != *jent_read_entropy* ]] || fault "aws-lc has its jitter entropy"
}

if target aarch64-unknown-linux-gnu 2> "$built/rustup.log"; then
  build arm64 aarch64-unknown-linux-gnu AArch64
else
  mv "$built/rustup.log" "$built/arm64.unavailable"
  echo "arm64: not built, the Rust target aarch64-unknown-linux-gnu cannot be had here"
fi
build x86_64 x86_64-unknown-linux-gnu 'Advanced Micro Devices X86-64'

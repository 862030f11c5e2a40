#!/usr/bin/env bash
# Checks that the harness and the baseline work, and that memory is constant under a flood. Precise figures require an
# idle machine.
set -euo pipefail
cd "$(dirname "$0")/.."
harness=bench/harness/target/release/roomkey-bench
mkdir -p .ci/work
for crate in harness hello sample; do
  (cd "bench/$crate" && cargo fmt --check)
done
(cd bench/harness && cargo clippy --release --locked -- -D warnings && cargo test --release --locked && cargo build --release --locked)
(cd bench/hello && cargo build --release --locked)
"$harness" all --rounds 3 --requests 400 hello=bench/hello/target/release/bootstrap roomkey=target/release/bootstrap
"$harness" flood --requests 100000 --csv .ci/work/bench --plots .ci/work/bench roomkey=target/release/bootstrap

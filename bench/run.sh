#!/bin/sh
# Measures everything that bench/build.sh has built and writes bench/results/report.md; the figures of
# the curves lie beside it, their plots in docs/performance. Some ten minutes.
#
# PREFIX stands before each command: `PREFIX="chrt --fifo 10" bench/run.sh` as root on a machine that
# does other things too. Not before warm peers, which take PEERS_PREFIX (`nice -n -20`): on one core
# and under a real-time class Node was seen to use up that core without an end.
# FLOOD is how many requests the flood has.
set -u
cd "$(dirname "$0")/.."
results=bench/results
report=$results/report.md
log=$results/progress.log
bench=bench/harness/target/release/roomkey-bench
ours=roomkey=target/release/bootstrap
floor=hello=bench/hello/target/release/bootstrap
mkdir -p "$results" docs/performance
prefix=${PREFIX:-}
failed=0

run() {
    printf '\n## %s\n\n' "$1" >>"$report"
    shift
    echo "$*" >&2
    # shellcheck disable=SC2086
    if ! $prefix "$bench" "$@" >>"$report" 2>"$log"; then
        failed=1
        # What it wrote over and over was progress.
        printf '\n**It failed:** %s\n' "$(tr '\r' '\n' <"$log" | tail -n 1)" | tee -a "$report" >&2
    fi
}

peers() {
    for peer in node/target/package python/target/package go/target sample/target/release; do
        if [ -x "bench/$peer/bootstrap" ]; then
            printf -- '--peer %s=bench/%s/bootstrap ' "${peer%%/*}" "$peer"
        fi
    done
}

{
    printf '# What was measured\n\n%s, commit %s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" "$(git rev-parse --short HEAD)"
    printf '\nrustc %s, node %s, %s, %s\n' "$(rustc --version | cut -d' ' -f2)" "$(node --version)" \
        "$(python3.11 --version)" "$(go version | cut -d' ' -f3)"
} >"$report"

run "Against the floor" all $floor $ours
# shellcheck disable=SC2046
run "Against the peers: cold" cold $floor $ours $(peers)
prefix=${PEERS_PREFIX:-}
# shellcheck disable=SC2046
run "Against the peers: warm, 8,000 calls in" warm --alg RS256 --warmup 8000 --rounds 5 $floor $ours $(peers)
prefix=${PREFIX:-}
run "Curves" curves --csv "$results" --plots docs/performance $ours
run "Flood" flood --requests "${FLOOD:-1000000}" --csv "$results" --plots docs/performance $ours
echo "written: $report" >&2
exit $failed

#!/bin/sh
# Measures everything that bench/build.sh has built and writes bench/results/report.md. The figures of
# the curves are written beside it, and their plots to docs/performance. Takes about ten minutes.
#
# PREFIX precedes each command. On a machine with other load, run as root:
# `PREFIX="chrt --fifo 10" bench/run.sh`. Warm peers use PEERS_PREFIX (`nice -n -20`) instead, because
# Node can occupy a core forever in a real-time class.
# FLOOD is the number of requests of the flood.
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
        # Progress messages contain carriage returns.
        printf '\n**Failed:** %s\n' "$(tr '\r' '\n' <"$log" | tail -n 1)" | tee -a "$report" >&2
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
    printf '# Measurements\n\n%s, commit %s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" "$(git rev-parse --short HEAD)"
    printf '\nrustc %s, node %s, %s, %s\n' "$(rustc --version | cut -d' ' -f2)" "$(node --version)" \
        "$(python3.11 --version)" "$(go version | cut -d' ' -f3)"
} >"$report"

run "Comparison with the baseline" all $floor $ours
# shellcheck disable=SC2046
run "Comparison with the peers, cold" cold $floor $ours $(peers)
prefix=${PEERS_PREFIX:-}
# shellcheck disable=SC2046
run "Comparison with the peers, warm after 8,000 requests" warm --alg RS256 --warmup 8000 --rounds 5 $floor $ours $(peers)
prefix=${PREFIX:-}
run "Refresh" refresh --delay 80 $ours
run "Curves" curves --csv "$results" --plots docs/performance $ours
run "Flood" flood --requests "${FLOOD:-1000000}" --csv "$results" --plots docs/performance $ours
echo "report: $report" >&2
exit $failed

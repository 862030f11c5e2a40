# Steps with one result line each, and a table at the end.

names=() results=() seconds=()
failed=0 job=

# Each step is a separate process group, so that all its processes can be ended.
trap '[ -z "$job" ] || kill -TERM -- "-$job" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step NAME COMMAND... runs the command and records its result. The following steps run even if it fails.
step() {
  local name=$1 begin=$SECONDS result=passed
  shift
  printf '\n=== %s\n' "$name"
  # In the background, `set -e` applies inside functions as well.
  set -m
  ( set -euo pipefail; "$@" ) < /dev/null &
  job=$!
  set +m
  wait "$job" || { result=FAILED; failed=$((failed + 1)); }
  names+=("$name") results+=("$result") seconds+=($((SECONDS - begin)))
  printf -- '--- %s: %s in %d s\n' "$name" "$result" "${seconds[-1]}"
}

summary() {
  printf '\n%-34s %-8s %s\n' step result seconds
  local i
  for i in "${!names[@]}"; do
    printf '%-34s %-8s %7d\n' "${names[i]}" "${results[i]}" "${seconds[i]}"
  done
  printf '\n%d passed, %d failed\n' $((${#names[@]} - failed)) "$failed"
}

# suite NAME runs one real-component suite with Node's test runner. It fails if a test was skipped or marked "to do", or
# if no test ran.
suite() {
  local name=$1 tap=.ci/work/$1.tap
  # In the foreground, because `timeout` would otherwise leave the step's process group.
  timeout --foreground --kill-after=30 600 node --no-warnings \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$tap" "tests/real/$name.test.js"
  local pass skipped todo
  read -r pass skipped todo < <(awk '/^# pass/ {p=$3} /^# skipped/ {s=$3} /^# todo/ {t=$3} END {print p+0, s+0, t+0}' "$tap")
  echo "$name: $pass tests passed, $skipped skipped"
  [ "$pass" -gt 0 ] && [ "$skipped" -eq 0 ] && [ "$todo" -eq 0 ]
}

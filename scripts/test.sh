#!/usr/bin/env bash
# test.sh  every check, one after the other; goes on after a failure, so that one run tells all of them.
# Leaves vitest's results and one line a step in .tools/results, from which scripts/summary.ts counts.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=.tools/results
rm -rf "$results"
mkdir -p "$results"
failed=()

# step NAME SECONDS COMMAND...  runs it within its time, and says how long it took
step() {
  local name=$1 limit=$2 begin=$SECONDS code=0
  shift 2
  printf '\n── %s\n' "$name"
  timeout --kill-after=10 "$limit" "$@" || code=$?
  [ "$code" = 124 ] && printf '%s took more than %s s\n' "$name" "$limit"
  printf '── %s: %s, %s s\n' "$name" "$([ "$code" = 0 ] && echo ok || echo "FAILED ($code)")" $((SECONDS - begin))
  printf '%s\t%s\t%s\n' "$name" "$code" $((SECONDS - begin)) >>"$results/steps.tsv"
  [ "$code" = 0 ] || failed+=("$name")
  return "$code"
}

vitest() { echo npx vitest run --project "$1" --reporter=default --reporter=json --outputFile.json="$results/$1.json"; }

step setup 420 scripts/setup.sh || exit 1
export PATH=$PWD/node_modules/.bin:$PATH
step lint 60 npm run --silent lint
step types 120 npm run --silent types
# shellcheck disable=SC2046
step unit 700 $(vitest unit)
# shellcheck disable=SC2046
step e2e 700 $(vitest e2e)
step chaos 200 npm run --silent chaos -- --seconds 30 --seed 7 --homes
step 'chaos, Redis log' 200 npm run --silent chaos -- --seconds 30 --seed 7 --homes --log redis
step bench 420 npm run --silent bench -- --short

printf '\n'
awk -F '\t' '{ printf "%-16s %-7s %4d s\n", $1, $2 == 0 ? "ok" : "FAILED", $3 }' "$results/steps.tsv"
if [ ${#failed[@]} -gt 0 ]; then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi

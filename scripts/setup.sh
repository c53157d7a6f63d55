#!/usr/bin/env bash
# setup.sh [PART...]  installs what the parts need, and is quiet about what is there already.
#   npm         packages of the lock file, Node 24 among them       (run, and everything else)
#   consul      the Consul binary, into .tools/consul               (test)
#   nats        a NATS server, built by Go into .tools, to be measured against; left out where there is no Go (bench)
#   redis, rabbitmq, chromium, websockets, wrk, ss   from Debian by apt-get  (test; wrk and ss for the benches)
#   kafka       Kafka from its Maven artifacts, into .tools/kafka, and the mock broker of kcat, from Debian, which stands in
#               for it without Java 17 and Maven                      (test)
# Without a PART: all of them but nats.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(npm consul redis rabbitmq kafka chromium websockets wrk ss)

wants() {
  local part
  for part in "${parts[@]}"; do [ "$part" = "$1" ] && return 0; done
  return 1
}

say() { printf 'setup: %s\n' "$*" >&2; }

# Java 17 or later, and Maven to fetch what shall run on it.
can_kafka() {
  command -v java >/dev/null && command -v mvn >/dev/null || return 1
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${version:-0}" -ge 17 ]
}

# Put in place by a rename, so that a run broken off never leaves half of it. The pom's sum tells when it is another one.
get_kafka() {
  local want new log
  want=$(sha256sum <scripts/kafka/pom.xml)
  [ "$(cat .tools/kafka/pom.sha256 2>/dev/null)" = "$want" ] && return 0
  say "Kafka, by Maven"
  mkdir -p .tools
  new=$(mktemp -d .tools/kafka.XXXXXX)
  log=$(mktemp)
  if ! mvn -q -B -f scripts/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$PWD/$new" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    rm -rf "$new" "$log"
    say 'Maven could not bring Kafka; the mock broker of kcat stands in for it'
    return 1
  fi
  printf '%s\n' "$want" >"$new/pom.sha256"
  chmod 755 "$new"
  rm -rf .tools/kafka "$log"
  mv -T "$new" .tools/kafka
}

chromium=${RINGWAY_TEST_CHROMIUM:-/usr/bin/chromium}
missing=()
lacks() { missing+=("$1"); }

if wants npm; then command -v npm >/dev/null || lacks npm; fi
if wants redis; then command -v redis-server >/dev/null || lacks redis-server; fi
if wants rabbitmq; then compgen -G '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' >/dev/null || lacks rabbitmq-server; fi
# several brokers are always its mock, also where there is Kafka
if wants kafka; then command -v kcat >/dev/null || lacks kcat; fi
if wants chromium; then [ -x "$chromium" ] || lacks chromium; fi
if wants wrk; then command -v wrk >/dev/null || lacks wrk; fi
if wants ss; then command -v ss >/dev/null || lacks iproute2; fi
# Debian's own Python: another one on PATH does not see Debian's packages.
if wants websockets; then /usr/bin/python3 -c 'import websockets' 2>/dev/null || lacks python3-websockets; fi

bring_debian() {
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null; then
    say "missing: ${missing[*]}. There is no apt-get here: install them by hand."
    return 1
  fi
  local as_root=() apt log
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo -n)
    if ! sudo -n true 2>/dev/null; then
      say "missing: ${missing[*]}. Run this once as root, then again:"
      say "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
      return 1
    fi
  fi
  # Two runs at once would meet at dpkg's lock: wait for it rather than fail.
  # RUNLEVEL=1: the services that come along are not started; the tests start their own.
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=300)
  say "installing ${missing[*]} by apt-get"
  log=$(mktemp)
  if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    say "apt-get could not install: ${missing[*]}"
    return 1
  fi
  rm -f "$log"
}

bring_npm() {
  local stamp=node_modules/.ringway-lock lock install
  lock=$(sha256sum <package-lock.json)
  fresh() { [ -x node_modules/.bin/node ] && [ "$(cat "$stamp" 2>/dev/null)" = "$lock" ]; }
  fresh && return 0
  mkdir -p .tools
  exec 9>.tools/npm.lock
  flock 9
  if ! fresh; then
    # In place where something is installed already: npm ci would first delete it under whoever is running.
    install=(npm ci)
    [ -d node_modules ] && install=(npm install --no-save)
    say "${install[*]} (about half a minute, once)"
    "${install[@]}" --no-fund --no-audit --loglevel=error >&2 || return 1
    if ! node_modules/.bin/node --version >/dev/null; then
      say 'npm left no working node_modules/.bin/node (the package node@24): are install scripts switched off?'
      return 1
    fi
    printf '%s\n' "$lock" >"$stamp"
  fi
  exec 9>&-
}

bring_consul() {
  [ -z "${RINGWAY_TEST_CONSUL:-}" ] && [ ! -x .tools/consul/usr/bin/consul ] || return 0
  say 'Consul, from the Debian archive'
  scripts/get-consul.sh .tools/consul >&2
}

bring_kafka() {
  [ "${RINGWAY_TEST_KAFKA:-}" != mock ] && can_kafka || return 0
  get_kafka || true
}

# Each from elsewhere: all at once, for one after the other takes minutes.
running=()
bring() { "$@" & running+=($!); }

if wants npm && ! command -v npm >/dev/null; then
  bring_debian
  missing=()
fi
bring bring_debian
if wants npm; then bring bring_npm; fi
if wants consul; then bring bring_consul; fi
if wants kafka; then bring bring_kafka; fi
failed=0
for one in "${running[@]}"; do wait "$one" || failed=1; done
[ "$failed" = 0 ] || exit 1

if wants nats && [ ! -x .tools/nats-server ]; then
  if ! command -v go >/dev/null; then
    say 'no Go here: the benches run without NATS'
  else
    say 'NATS, built by Go (about a minute, once)'
    mkdir -p .tools
    GOBIN=$PWD/.tools go install github.com/nats-io/nats-server/v2@v2.15.3 >&2 ||
      say 'Go could not build nats-server: the benches run without NATS'
  fi
fi

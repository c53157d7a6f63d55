#!/usr/bin/env bash
# get-consul.sh [DEST]  -> DEST/usr/bin/consul, by default .tools/consul in this repository.
# The real Consul for the tests, from Debian's bullseye suite (later suites no longer carry it), signature checked by apt.
# Works as root and as an ordinary user; touches nothing outside DEST and a temporary directory.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "${1:-$here/.tools/consul}"
dest=$(cd "${1:-$here/.tools/consul}" && pwd)
if [ -x "$dest/usr/bin/consul" ]; then
  "$dest/usr/bin/consul" version | sed -n 1p
  exit 0
fi

fail() { echo "get-consul: $1" >&2; exit 1; }
for tool in apt-get dpkg awk; do
  command -v "$tool" > /dev/null || fail "needs $tool (Debian or its like); else set RINGWAY_TEST_CONSUL to the path of a consul binary"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "needs the debian-archive-keyring package"

# The address of the Debian archive comes from this machine's own apt sources (deb822 or one line each), so that a mirror
# set up for the machine is used here too.
base=$( { cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null || true; } |
  awk '/^#/ { next }
       tolower($1) == "uris:" { for (i = 2; i <= NF; i++) print $i; next }
       $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\//) { print $i; break } }' |
  sed 's#/*$##' | awk '/\/debian$/ && !n++')
[ -n "$base" ] || fail "no Debian archive among this machine's apt sources"

# A private apt: its own sources, lists and cache, so that the system's are neither read nor changed.
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt"/{etc/sources.d,etc/pref.d,lists/partial,cache/archives/partial}
if [ "$(id -u)" = 0 ]; then
  chmod 755 "$apt"
  chown -R _apt "$apt/lists/partial" "$apt/cache/archives"
fi
printf 'deb [signed-by=%s] %s bullseye main\n' "$keyring" "$base" > "$apt/etc/sources.list"
: > "$apt/status"
opts=(
  -o Dir::Etc::sourcelist="$apt/etc/sources.list" -o Dir::Etc::sourceparts="$apt/etc/sources.d"
  -o Dir::Etc::preferences="$apt/etc/none" -o Dir::Etc::preferencesparts="$apt/etc/pref.d"
  -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
  -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none -o Acquire::Retries=3
  -o Acquire::AllowInsecureRepositories=false
)
apt-get "${opts[@]}" -qq update
cd "$apt/cache/archives"
apt-get "${opts[@]}" -qq download consul
dpkg -x consul_*.deb "$apt/x"
# Put in place by a rename, so that a run broken off, or a second one beside it, never leaves half a binary.
install -D -m 755 "$apt/x/usr/bin/consul" "$dest/usr/bin/consul.new.$$"
mv "$dest/usr/bin/consul.new.$$" "$dest/usr/bin/consul"
"$dest/usr/bin/consul" version | sed -n 1p

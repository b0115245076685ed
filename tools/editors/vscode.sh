#!/usr/bin/env bash
# What the tests of the VS Code extension need, and the extension itself: VS Code's workbench
# (code-server) with the Node it wants, Chromium, Playwright; then the vsix, built and packaged.
# Everything goes to .editors/vscode, but Chromium, which is the system's. A second run takes seconds.
# Run tools/bootstrap.py before: Playwright is installed for the Python of .venv.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
home=$root/.editors/vscode
extension=$root/editors/vscode
node=node@24.21.0 server=code-server@4.139.1 driver=playwright==1.65.2
versions="$node $server $driver $("$root/.venv/bin/python" -V)"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

has_chromium() { command -v chromium >/dev/null || [ -n "${CHROMIUM:-}" ]; }
if ! has_chromium && command -v apt-get >/dev/null; then
  as_root apt-get update -qq
  as_root apt-get install -y -qq --no-install-recommends chromium
fi
has_chromium || { echo 'chromium not found: install it, or name it in CHROMIUM' >&2; exit 1; }
command -v npm >/dev/null || { echo 'npm not found: install Node.js' >&2; exit 1; }

export npm_config_audit=false npm_config_fund=false npm_config_loglevel=error
mkdir -p "$home"
cd "$home"
if [ "$(cat installed 2>/dev/null)" != "$versions" ]; then
  rm -rf installed python
  # The package node fetches its program in a script of its own, which newer npm wants allowed.
  [ -f package.json ] || echo '{"private": true, "allowScripts": {"node": true}}' >package.json
  npm install "$node"
  PATH=$home/node_modules/node/bin:$PATH
  # Without scripts: they would build what is not needed here. What is needed then follows by hand.
  npm install --ignore-scripts "$server"
  (cd node_modules/code-server/lib/vscode &&
    npm install --omit=dev --ignore-scripts && ln -sfn node_modules node_modules.asar)
  python3 -m pip --python "$root/.venv/bin/python" install --quiet --disable-pip-version-check \
    --root-user-action=ignore --target python "$driver"
  echo "$versions" >installed
fi
export PATH=$home/node_modules/node/bin:$PATH

# The extension carries the program as a wheel: "install" then needs no index for it, and gets its version.
cd "$extension"
mkdir -p server
wheel=$(find server -name '*.whl')
newer() { cd "$root" && find sidecar providers protocol pyproject.toml -name '*.*' -type f \
  -not -name '*.pyc' -newer "$extension/$wheel" -print -quit; }
if [ -z "$wheel" ] || [ -n "$(newer)" ]; then
  rm -f server/*.whl
  python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir server "$root"
  touch server/*.whl
fi

if [ ! -d node_modules ] || ! cmp -s package-lock.json "$home/lock"; then
  npm ci
  cp package-lock.json "$home/lock"
fi
python3 scripts/settings.py --check || { echo 'package.json: run scripts/settings.py' >&2; exit 1; }
npm run --silent package -- --out "$home/ai-sidecar.vsix"

#!/bin/sh
# Builds the plugin into dist/ai-sidecar.ai-sidecar: the folder that Lapce's plugins folder holds.
# `--install` copies it there. Needs a Rust toolchain with a WASI target, and nothing else:
#   Debian, Ubuntu:  apt install rustc cargo libstd-rust-dev-wasm32 lld
#   rustup:          rustup target add wasm32-wasip1
set -eu
cd "$(dirname "$0")"

# The first toolchain and target that go together: rustup's may lack what Debian's has.
find_target() {
  for rustc in ${RUSTC:-} rustc /usr/bin/rustc; do
    command -v "$rustc" >/dev/null 2>&1 || continue
    for target in wasm32-wasip1 wasm32-wasi; do
      folder=$("$rustc" --print target-libdir --target "$target" 2>/dev/null) || continue
      [ -d "$folder" ] && return 0
    done
  done
  return 1
}
if ! find_target; then
  echo 'No Rust toolchain with a WASI target was found. Install one:' >&2
  echo '  apt install rustc cargo libstd-rust-dev-wasm32 lld   (Debian, Ubuntu)' >&2
  echo '  rustup target add wasm32-wasip1                      (rustup)' >&2
  exit 1
fi
cargo=$(dirname "$(command -v "$rustc")")/cargo
RUSTC=$(command -v "$rustc") "$cargo" build --quiet --release --offline --locked --target "$target"

built=${CARGO_TARGET_DIR:-target}/$target/release/ai-sidecar-lapce.wasm
volt=dist/ai-sidecar.ai-sidecar
rm -rf "$volt"
mkdir -p "$volt/bin"
cp "$built" "$volt/bin/"
cp volt.toml README.md ../../LICENSE "$volt/"
echo "editors/lapce/$volt"

if [ "${1:-}" = --install ]; then
  case "$(uname -s)" in
    Darwin) data="$HOME/Library/Application Support/dev.lapce.Lapce-Stable" ;;
    MINGW* | MSYS*) data="$(cygpath "$LOCALAPPDATA")/lapce/Lapce-Stable/data" ;;
    *) data="${XDG_DATA_HOME:-$HOME/.local/share}/lapce-stable" ;;
  esac
  installed="$data/plugins/ai-sidecar.ai-sidecar"
  mkdir -p "$installed"
  cp -R "$volt/." "$installed/" # over what is there: `server-path` stays
  # What Lapce's message has to install: the package of this clone, else the clone itself.
  clone=$(cd ../.. && pwd)
  rm -rf "$installed/server" "$installed/clone"
  if ! python3 -m pip wheel --quiet --disable-pip-version-check --no-deps \
    --wheel-dir "$installed/server" "$clone" >/dev/null 2>&1; then
    rm -rf "$installed/server"
    printf '%s\n' "$clone" >"$installed/clone"
  fi
  echo "$installed"
fi

#!/usr/bin/env bash
# Another Python than the machine's, for a second run of the tests: Debian's, unpacked with the
# libraries that it needs into .editors/pythons/VERSION. Nothing of the system is changed and no
# privileges are needed: apt has folders of its own, where it checks signatures and hashes as ever.
#
#     tools/pythons/debian.sh [VERSION [SUITE]]      writes the interpreter's path to stdout
#
# It has no ensurepip. Once tools/bootstrap.py has fetched uv, that makes the environment:
#
#     UV_PROJECT_ENVIRONMENT=.editors/pythons/3.14/venv "$(tools/pythons/debian.sh)" tools/check.py

set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-3.14}
suite=${2:-forky}
home=$PWD/.editors/pythons/$version
python=$home/usr/bin/python$version
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if [ "$(cat "$home/installed" 2>/dev/null)" = "$suite" ]; then
  echo "$python"
  exit
fi
for needed in apt-get dpkg-deb; do
  command -v "$needed" >/dev/null || { echo "$needed not found: this is no Debian" >&2; exit 1; }
done
[ -f "$keyring" ] || { echo "$keyring not found: install debian-archive-keyring" >&2; exit 1; }

rm -rf "$home"
own=$home/apt
mkdir -p "$own/lists/partial" "$own/archives/partial"
touch "$own/status" # nothing is installed there: all that is needed comes along
echo "deb [signed-by=$keyring] $mirror $suite main" >"$own/sources.list"
cat >"$own/apt.conf" <<END
Dir::Etc::SourceList "$own/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$own";
Dir::State::Status "$own/status";
Dir::Cache "$own";
Acquire::Languages "none";
APT::Sandbox::User "";
APT::Install-Recommends "false";
END
export APT_CONFIG=$own/apt.conf
apt-get -qq update >&2
apt-get -qq --yes --download-only install "python$version" patchelf >&2
for package in "$own"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$home" --no-same-owner
done

# The program finds its own C library, which is newer than the system's, and what goes with it.
libraries=$(dirname "$(find "$home/usr/lib" -name 'libc.so.6')")
loader=$(find "$libraries" -name 'ld-linux*.so.*')
patch() { "$loader" --library-path "$libraries" "$home/usr/bin/patchelf" "$@" "$python"; }
patch --force-rpath --set-rpath "$libraries"
patch --set-interpreter "$loader" # second: patchelf 0.18 breaks the program the other way round
"$python" -c 'import bz2, ctypes, lzma, sqlite3, ssl, uuid, zlib'
rm -r "$own"
echo "$suite" >"$home/installed"
echo "$python"

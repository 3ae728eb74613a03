#!/usr/bin/env bash
# Runs the tests of what differs on Windows under Wine, on Debian as root:
#
#   internal/integration/windows/run.sh DIRECTORY [TEST FLAGS]
#
# DIRECTORY is where a Debian 13 with Wine 10 is made once, about 1 GB; the Wine 8 of
# Debian 12 has no ProcessPrng, which Go needs, and removes no files for it. It needs
# the package mmdebstrap. .ci/run does not run this: it builds and vets for Windows.
#
# What Wine cannot show: DPAPI, the 2560 bytes of an entry, logon sessions, virus
# scanners, and locks that keep others from reading.
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(realpath -m "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# In a mount namespace of its own: what is mounted here is gone with this script.
[ -n "${REGRANT_WINE_INSIDE-}" ] ||
  REGRANT_WINE_INSIDE=1 exec unshare --mount --pid --fork --kill-child "$PWD/internal/integration/windows/run.sh" "$root" "$@"

if [ ! -e "$root/made" ]; then
  mmdebstrap --variant=minbase --include=wine,wine64,ca-certificates --aptopt='APT::Install-Recommends "0"' trixie "$root"
  touch "$root/made"
fi
mount --make-rprivate /
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
inside() {
  chroot "$root" env WINEPREFIX=/prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe=' DISPLAY='' HOME=/ "$@"
}
[ -d "$root/prefix" ] || inside wine wineboot -i

mkdir -p "$root/tests"
failed=
for package in internal/filelock internal/atomicfile tokenstore/filestore tokenstore/keyringstore internal/integration/keychain; do
  name=$(basename "$package").exe
  (cd "$package" && GOWORK=off GOOS=windows CGO_ENABLED=0 go test -c -o "$root/tests/$name" .)
  echo "== $package"
  inside sh -c 'cd /tests && exec wine "./$0" "$@"' "$name" "$@" || failed+=" $package"
done
inside wineserver -k || true
[ -z "$failed" ] || { echo "FAILED:$failed"; exit 1; }

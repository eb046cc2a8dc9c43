#!/bin/sh
# Makes the pictures of the README: starts a cluster with the demo on it, and takes the overview in light and in dark.
#
# usage: screenshots.sh [MESETA]     (MESETA: target/debug/meseta of the repository unless given)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
meseta=${1:-$here/../../target/debug/meseta}
python=$(sh "$here/setup.sh")
"$python" -m pip install -q pillow==12.0.0
exec "$python" "$here/screenshots.py" "$meseta" "$here/../../docs/images"

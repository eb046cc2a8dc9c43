#!/bin/sh
# Makes a Python environment with the `mesos` command line as it is released, `avmesos-cli`, and prints the path of its
# interpreter. The release forgot to name `requests` among what it needs.
#
# usage: setup.sh [DIR]      (DIR: target/avmesos of the repository unless given)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${CARGO_TARGET_DIR:-$here/../../target}/avmesos}
exec sh "$here/../venv.sh" "$dir" avmesos.cli avmesos-cli==1.0.0 requests==2.34.2

#!/bin/sh
# Makes a Python environment with the unmodified `pymesos` and prints the path of its interpreter.
#
# usage: setup.sh [DIR]      (DIR: target/pymesos of the repository unless given)
#
# Quick when it is there already; safe to be run by several at once. `http-parser`, which pymesos needs, was released
# with C code that Python 3.11 no longer compiles, so its .pyx is translated anew with the last Cython that knows its
# dialect.
set -eu

PYMESOS=0.3.15
HTTP_PARSER=0.9.0
CYTHON=0.29.37

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${CARGO_TARGET_DIR:-$here/../../target}/pymesos}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
stamp="$dir/ready-$PYMESOS-$HTTP_PARSER-$CYTHON"
python="$dir/venv/bin/python"

# One at a time: the others wait here and then find it ready.
exec 9>"$dir/lock"
flock 9

if [ -e "$stamp" ] && "$python" -c 'import pymesos, http_parser.parser' 2>/dev/null; then
    echo "$python"
    exit 0
fi

log="$dir/setup.log"
# Built by another shell: inside a condition this one would not stop at a command that fails.
if sh -eu "$here/build.sh" "$dir" "$PYMESOS" "$HTTP_PARSER" "$CYTHON" >"$log" 2>&1; then
    : >"$stamp"
    echo "$python"
else
    tail -n 30 "$log" >&2
    echo "setup.sh: pymesos could not be installed; the whole log is in $log" >&2
    exit 1
fi

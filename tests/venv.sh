#!/bin/sh
# Makes a Python environment with the packages that are named, and prints the path of its interpreter.
#
# usage: venv.sh DIR MODULES PACKAGE==VERSION...      (MODULES: what has to be importable then, with commas)
#
# Quick when it is there already; safe to be run by several at once.
set -eu

dir=$1 modules=$2
shift 2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
stamp="$dir/ready-$(echo "$*" | tr ' =' '-_')"
python="$dir/venv/bin/python"

# One at a time: the others wait here and then find it ready.
exec 9>"$dir/lock"
flock 9

if ! { [ -e "$stamp" ] && "$python" -c "import $modules" 2>/dev/null; }; then
    log="$dir/setup.log"
    if python3 -m venv "$dir/venv" >"$log" 2>&1 && "$python" -m pip install -q "$@" >>"$log" 2>&1 &&
        "$python" -c "import $modules" >>"$log" 2>&1; then
        : >"$stamp"
    else
        tail -n 30 "$log" >&2
        echo "venv.sh: $* could not be installed; the whole log is in $log" >&2
        exit 1
    fi
fi
echo "$python"

#!/bin/sh
# Makes a Python environment with Playwright and axe-core, and prints the path of its interpreter. The browser is the system's
# own Chromium: `apt-get install chromium`.
#
# usage: setup.sh [DIR]      (DIR: target/browser of the repository unless given)
#
# Quick when it is there already; safe to be run by several at once.
set -eu

PLAYWRIGHT=1.65.2
AXE=0.1.8

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${CARGO_TARGET_DIR:-$here/../../target}/browser}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
stamp="$dir/ready-$PLAYWRIGHT-$AXE"
python="$dir/venv/bin/python"

# One at a time: the others wait here and then find it ready.
exec 9>"$dir/lock"
flock 9

if ! { [ -e "$stamp" ] && "$python" -c 'import playwright, axe_playwright_python' 2>/dev/null; }; then
    log="$dir/setup.log"
    if python3 -m venv "$dir/venv" >"$log" 2>&1 &&
        "$python" -m pip install -q "playwright==$PLAYWRIGHT" "axe-playwright-python==$AXE" >>"$log" 2>&1; then
        : >"$stamp"
    else
        tail -n 30 "$log" >&2
        echo "setup.sh: Playwright could not be installed; the whole log is in $log" >&2
        exit 1
    fi
fi
echo "$python"

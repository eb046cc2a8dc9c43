#!/bin/sh
# Makes a Python environment with Playwright and axe-core, and prints the path of its interpreter. The browser is the system's
# own Chromium: `apt-get install chromium`.
#
# usage: setup.sh [DIR]      (DIR: target/browser of the repository unless given)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-${CARGO_TARGET_DIR:-$here/../../target}/browser}
exec sh "$here/../venv.sh" "$dir" playwright,axe_playwright_python playwright==1.65.2 axe-playwright-python==0.1.8

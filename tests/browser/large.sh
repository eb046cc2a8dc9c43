#!/bin/sh
# Looks at every page of a large cluster in Chromium, in light, in dark and on a phone: a real master with emulated agents, built
# for release. Takes some minutes and, at full size, some 8 GB of memory. Screenshots stay in target/browser/screenshots.
#
# usage: large.sh [AGENTS [FRAMEWORKS [TASKS]]]     (50000 5 2: 500,000 tasks that run, and as many that ended)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
python=$(sh "$here/setup.sh")
cargo build --release --manifest-path "$here/../../Cargo.toml" --bin meseta --bin meseta-bench
said=$(mktemp)
"$target/release/meseta-bench" pages --agents "${1:-50000}" --frameworks "${2:-5}" --tasks "${3:-2}" --stay 3600 >"$said" &
bench=$!
trap 'kill $bench; wait $bench; rm -f "$said"' EXIT
until grep -q "stays at" "$said"; do
    kill -0 $bench
    sleep 1
done
cat "$said"
master=$(sed -n 's|.*stays at http://\([^ ]*\) .*|\1|p' "$said")
for view in light dark phone; do
    "$python" "$here/check.py" "$master" "$target/browser/screenshots" $view large
done

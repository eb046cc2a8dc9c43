#!/usr/bin/env bash
# Runs a fuzz target on the stable toolchain: ./run.sh TARGET [LIBFUZZER OPTIONS]
set -euo pipefail
cd "$(dirname "$0")"
target=$1
shift
# What cargo-fuzz sets, without the sanitizer: coverage that libFuzzer reads to find its way.
flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Ccodegen-units=1
)
triple=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p "corpus/$target" "artifacts/$target"
RUSTFLAGS="${flags[*]}" exec cargo run --release --target "$triple" --bin "$target" -- \
    -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target" "$@"

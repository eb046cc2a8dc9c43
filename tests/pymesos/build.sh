#!/bin/sh
# The slow half of setup.sh, which calls it with -eu and holds the lock.
#
# usage: sh -eu build.sh DIR PYMESOS HTTP_PARSER CYTHON      (the last three are versions)
dir=$1 pymesos=$2 http_parser=$3 cython=$4
bin="$dir/venv/bin"

rm -rf "$dir/venv" "$dir/src" "$dir"/ready-*

# Debian packs `venv` and the C headers apart from python3.
headers='import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))'
if ! python3 -c 'import ensurepip' || ! python3 -c "$headers"; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv python3-dev
fi

python3 -m venv "$dir/venv"
pip() { "$bin/pip" --disable-pip-version-check "$@"; }
pip install 'setuptools<81' wheel "cython==$cython"

mkdir "$dir/src"
pip download --no-deps --no-binary :all: --no-build-isolation -d "$dir/src" "http-parser==$http_parser"
tar -xf "$dir/src/http-parser-$http_parser.tar.gz" -C "$dir/src"
(cd "$dir/src/http-parser-$http_parser" && "$bin/cython" http_parser/parser.pyx)
pip install --no-build-isolation --no-deps "$dir/src/http-parser-$http_parser"
pip install --no-build-isolation "pymesos==$pymesos"

"$bin/python" -c 'import pymesos, http_parser.parser'
rm -rf "$dir/src"

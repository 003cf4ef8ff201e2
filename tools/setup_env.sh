#!/bin/sh
# Make (or complete) the virtual environment in the folder $1 from the lock file $2.
set -eu
venv=$1
lock=$2
if [ ! -x "$venv/bin/python" ]; then
    python=$(tools/find_python.sh)
    echo "Making $venv with $("$python" --version)"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "$python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi
echo "Installing what $lock pins (only the first time, and after it changed)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"
"$venv/bin/python" tools/link_package.py

#!/bin/sh
# Print the first Python of at least 3.11 on this machine.
for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        command -v "$name"
        exit 0
    fi
done
echo "Warmline needs Python 3.11 or later, and none was found. Install one, or name it: make run PYTHON=/path/to/python3" >&2
exit 1

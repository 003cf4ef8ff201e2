#!/bin/sh
# Every check and test.  $1 is the Python to use; `--checks-only` stops before pytest.
set -u
python=$1
bin=$(dirname "$python")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=0

# The tests start the program some two hundred times; without this it would be compiled anew each time.
unset PYTHONDONTWRITEBYTECODE

# The type checker and the linters share the two cores.
"$python" -m mypy >"$out/mypy" 2>&1 & mypy=$!
"$python" -m ruff check . >"$out/ruff check" 2>&1 & ruff=$!
"$python" -m ruff format --check . >"$out/ruff format" 2>&1 & format=$!
"$bin/lint-imports" --no-cache --no-logo >"$out/lint-imports" 2>&1 & layers=$!

verdict() {
    if wait "$2"; then
        echo "ok      $1: $(grep -v '^[[:space:]]*$' "$out/$1" | tail -n 1)"
    else
        echo "FAILED  $1"
        cat "$out/$1"
        failed=1
    fi
}
verdict "ruff check" $ruff
verdict "ruff format" $format
verdict "lint-imports" $layers
verdict "mypy" $mypy

# A test that fails only beside others is a fault too, but another one: a machine that was busy with something else for
# half a minute looks like that.  A few are tried once more alone, and named loudly when that helps.
tests_failed() {
    count=$(grep -c . "$out/failed" 2>/dev/null || echo 0)
    if [ "$count" -lt 1 ] || [ "$count" -gt 4 ]; then
        failed=1
        return
    fi
    echo "Tried again, one after the other and alone:"
    if tr '\n' '\0' <"$out/failed" | xargs -0 "$python" -m pytest -q; then
        echo "UNSTEADY: these failed beside others and passed alone. Find out why:"
        sed 's/^/  /' "$out/failed"
    else
        failed=1
    fi
}

if [ "${2:-}" != "--checks-only" ]; then
    # One more worker than cores: tests also wait, for locks, deadlines and browsers.
    WARMLINE_TEST_FAILED="$out/failed" "$python" -m pytest -n 3 --dist loadgroup -m "not long" -q </dev/null || tests_failed
fi
if [ $failed -ne 0 ]; then
    echo "make test: FAILED" >&2
fi
exit $failed

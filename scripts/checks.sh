#!/usr/bin/env bash
# Every check, one named step after the other; the first that fails stops the run and is named.
# With the argument "lint", all but the tests.
set -uo pipefail
cd "$(dirname "$0")/.."
bin="${BIN:-.venv/bin}"
measured=(domain io infer service) # rooms whose lines must be covered to at least 90 %
export OMP_NUM_THREADS=1 MPLBACKEND=Agg NO_COLOR=1

step() { # name, command...
    local name="$1" start=$SECONDS
    shift
    echo "== $name"
    if ! "$@"; then
        echo "== $name: FAILED after $((SECONDS - start)) s" >&2
        exit 1
    fi
}

servers() { # PostgreSQL and Redis, which the tests of the service start for themselves
    local found=(/usr/lib/postgresql/*/bin/initdb)
    if { [ -x "${found[0]}" ] || command -v initdb >/dev/null; } && command -v redis-server >/dev/null; then
        return 0
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            postgresql redis-server util-linux
        return
    fi
    echo "Expected PostgreSQL and Redis for the tests, found none. Install postgresql and" \
        "redis-server; the tests start their own on loopback." >&2
    return 1
}

step "ruff check" "$bin/ruff" check .
step "ruff format" "$bin/ruff" format --check .
step "mypy --strict" "$bin/mypy"
step "import-linter" "$bin/lint-imports" --no-logo
if [ "${1:-}" = lint ]; then exit 0; fi
step "servers for the tests" servers
step "pytest" "$bin/python" -m pytest -q -n 2 --cov=waferscope --cov-report= --durations=10
for room in "${measured[@]}"; do
    step "coverage of $room" \
        "$bin/coverage" report --include="src/waferscope/$room/*" --fail-under=90
done
echo "== all checks passed"

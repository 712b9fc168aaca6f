#!/usr/bin/env bash
# Rewrites requirements/*.lock: what pip installs today for the ranges in pyproject.toml.
#
# One clean environment is filled step by step and frozen after each step; base, serve, train and
# dev list what their step added, so that they agree by construction. What builds the package is
# frozen from an environment of its own, held to the same versions. Needs the network; about 5
# minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"
torch="torch==2.13.0" # held by hand: the newest that has a CPU-only build here
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Held by hand too, so that no later step changes what an earlier one locked.
cat >"$work/held_by_hand" <<'HELD'
python-dateutil<3 # botocore, under moto in dev, wants it; dbos, in serve, takes either
HELD

clean() { # a new environment, without setuptools: it is locked only if a package asks for it
    "$python" -m venv --clear "$work/venv"
    pip="$work/venv/bin/pip"
    "$pip" uninstall --quiet --yes setuptools || true
    printf '' >"$work/before"
}

# Without a local version label: torch==2.13.0 is right on every machine, torch==2.13.0+cpu is not.
frozen() {
    "$pip" freeze --all --exclude pip --exclude waferscope |
        sed -E 's/^([^=]+==[^+]+)\+.*$/\1/' | LC_ALL=C sort -f
}

lock() { # name, what it holds, the lock it builds on, pip arguments
    local name="$1" holds="$2" after="$3"
    shift 3
    "$pip" install --quiet --quiet --constraint "$work/held_by_hand" "$@"
    frozen >"$work/now"
    {
        echo "# $holds"
        echo "# Made by \`make lock\` (scripts/lock.sh, Python $("$python" -c 'import platform; print(platform.python_version())')): pip freeze of a clean environment."
        if [ -n "$after" ]; then echo "-r $after.lock"; fi
        grep -vxFf "$work/before" "$work/now" || true
    } >"requirements/$name.lock"
    cp "$work/now" "$work/before"
    echo "requirements/$name.lock: $(grep -c == "requirements/$name.lock") packages"
}

clean
lock base "What pip install . brings." "" .
if grep -qi '^torch==' "$work/now"; then
    echo "The base install must not bring torch." >&2
    exit 1
fi
lock serve "What the serve extra adds to it: FastAPI, SQLAlchemy, obstore, DBOS." base ".[serve]"
if grep -qi '^torch==' "$work/now"; then
    echo "The service must not bring torch." >&2
    exit 1
fi
lock train "What the train extra adds to that: torch, Lightning, MLflow with a local SQLite store." serve ".[serve,train]" "$torch"
lock dev "What the checks add to that: pytest, ruff, mypy, import-linter, servers to test against." train ".[serve,train,dev]" "$torch"
lock fuzz "What \`make fuzz\` adds to that: atheris." dev ".[serve,train,dev,fuzz]" "$torch"
twice="$(cat requirements/{base,serve,train,dev,fuzz}.lock | sed -nE 's/==.*//p' | sort | uniq -d)"
if [ -n "$twice" ]; then
    echo "A later step changed what an earlier one locked: $twice. Hold it above." >&2
    exit 1
fi
cp "$work/now" "$work/held"
clean
lock build "What builds the package itself; installed beside the base." "" \
    --constraint "$work/held" hatchling editables

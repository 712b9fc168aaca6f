#!/usr/bin/env bash
# Creates .venv with Python 3.11 or newer; on Debian, as root, installs what is missing for that.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
    local name
    for name in "${PYTHON:-python3.11}" python3.11 python3 python3.12 python3.13; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    return 1
}

can_make() { python="$(find_python)" && "$python" -c 'import ensurepip, venv' 2>/dev/null; }

if ! can_make; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing python3 and python3-venv"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv
    fi
    can_make || {
        echo "Expected Python 3.11 or newer with its venv module, found none. Install python3 and" \
            "python3-venv, or name the interpreter: make PYTHON=/path/to/python3.11" >&2
        exit 1
    }
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv

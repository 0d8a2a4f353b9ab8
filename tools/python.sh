#!/bin/sh
# Run `python -m tools.NAME …` in the checkout with the first interpreter that is new enough.
# PYTHON, when set, is the only candidate:  make lab PYTHON=python3.12
candidates=${PYTHON:-python3 python python3.14 python3.13 python3.12 python3.11 python3.10}
cd "$(dirname "$0")/.." || exit 1
for python in $candidates; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        exec "$python" -m "tools.$@"
    fi
done
echo "The course needs Python 3.10 or later, and none of these is one: $candidates." \
    "Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)" \
    "or name yours: make lab PYTHON=/path/to/python3" >&2
exit 1

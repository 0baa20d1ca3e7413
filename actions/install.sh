#!/usr/bin/env bash
# Install what the action was told to, and pytest-xdist where there are workers.
set -euo pipefail
# Unquoted on purpose: "-r requirements.txt" is two words. Nothing in it is run by the shell.
set -f
# shellcheck disable=SC2086
python -m pip install --quiet $INSTALL
if [ "$WORKERS" != 0 ]; then
    python -m pip install --quiet pytest-xdist
fi

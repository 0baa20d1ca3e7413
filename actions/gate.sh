#!/usr/bin/env bash
# Run the gate as the action was told to; its exit code is the step's, and the verdict is an output.
set -uo pipefail
arguments=("$SUITES" --junitxml junit.xml)
if [ -n "$CANDIDATE" ]; then arguments+=(--candidate "$CANDIDATE"); fi
if [ -n "$SOURCE" ]; then arguments+=(--source "$SOURCE"); fi
if [ "$WORKERS" != 0 ]; then arguments+=(-n "$WORKERS"); fi
if [ "$REPORT_ONLY" = true ]; then arguments+=(--modelcheck-report-only); fi
python -m pytest "${arguments[@]}"
code=$?
verdict=""
if [ -f report/verdict.json ]; then
    verdict=$(python -c 'import json; print(json.load(open("report/verdict.json", encoding="utf-8"))["verdict"])') || code=3
fi
echo "verdict=$verdict" >>"$GITHUB_OUTPUT"
exit "$code"

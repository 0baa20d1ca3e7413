#!/usr/bin/env bash
# Write report/summary.md as one comment on the pull request: the comment of an earlier run is replaced.
set -euo pipefail
mark="<!-- modelcheck -->"
most=60000 # GitHub takes 65,536 characters
if [ ! -f report/summary.md ]; then
    echo "There is no report/summary.md: the gate ended before it could be written, and nothing is commented."
    exit 0
fi
body=$(mktemp)
trap 'rm -f "$body"' EXIT
python - "$mark" "$most" >"$body" <<'PYTHON'
import pathlib
import sys

mark, most = sys.argv[1], int(sys.argv[2])
text = pathlib.Path("report/summary.md").read_text(encoding="utf-8")
if len(text) > most:
    text = text[: text.rfind("\n", 0, most)] + "\n\nThe rest is in the uploaded report.\n"
sys.stdout.write(f"{mark}\n{text}")
PYTHON
comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
write() {
    local old
    old=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$mark\")) | .id") || return
    old=${old%%$'\n'*}
    if [ -n "$old" ]; then
        gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$old" --field "body=@$body"
    else
        gh api --silent --method POST "$comments" --field "body=@$body"
    fi
}
# The gate has answered already. A token that may only read, as pull requests from forks get, changes nothing of that.
write || echo "::warning::The summary could not be written as a comment: the token needs pull-requests: write."

"""Posts the comparison of a pull request as its comment.

Runs with a write token, after a workflow that may have run untrusted code. So the pull request is determined only by
the event and GitHub's answers, and the artifact is read as text: its size and its only member are checked first,
nothing in it is unpacked to a file or run, and it cannot mention anyone or load images.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from urllib.parse import quote

MARK = "<!-- evmscope diff -->"
MEMBER = "diff.md"
MOST_ARCHIVE = 256 * 1024
# GitHub allows 65,536 characters.
MOST_TEXT = 60_000


class Refused(Exception):
    """What is wrong, in one line."""


def api(path, *options, body=None):
    """GitHub's answer, as bytes."""
    command = ["gh", "api", path, *options]
    if body is not None:
        command += ["--input", "-"]
    return subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout


def pull_request(run, ask):
    """The number of the open pull request whose head the run measured; None if it is closed or has newer commits.

    The event's own list of pull requests is empty for forks.
    """
    head = run["head_repository"]
    label = quote(f"{head['owner']['login']}:{run['head_branch']}", safe="")
    found = json.loads(ask(f"repos/{run['repository']['full_name']}/pulls?state=open&head={label}"))
    numbers = [
        pull["number"]
        for pull in found
        if pull["head"]["sha"] == run["head_sha"] and (pull["head"]["repo"] or {}).get("id") == head["id"]
    ]
    return numbers[0] if numbers else None


def artifact(run, ask):
    """The archive that the run uploaded."""
    repository = run["repository"]["full_name"]
    listed = json.loads(ask(f"repos/{repository}/actions/runs/{run['id']}/artifacts"))["artifacts"]
    named = [it for it in listed if it["name"] == "diff"]
    if len(named) != 1:
        raise Refused(f"{len(named)} artifacts are named diff")
    if named[0]["size_in_bytes"] > MOST_ARCHIVE:
        raise Refused(f"the artifact has {named[0]['size_in_bytes']} bytes")
    return ask(f"repos/{repository}/actions/artifacts/{named[0]['id']}/zip")


def text_of(archive):
    """The text of the archive's only member."""
    if len(archive) > MOST_ARCHIVE:
        raise Refused(f"the archive has {len(archive)} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            names = opened.namelist()
            if names != [MEMBER]:
                raise Refused(f"the archive holds {names[:5]}")
            with opened.open(MEMBER) as member:
                # No more than this is ever inflated, whatever size the archive claims.
                data = member.read(4 * MOST_TEXT + 1)
    except zipfile.BadZipFile as error:
        raise Refused(f"not an archive: {error}") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8: {error}") from error
    if len(text) > MOST_TEXT:
        raise Refused(f"the text has more than {MOST_TEXT} characters")
    if any(ord(c) < 32 and c not in "\n\t" for c in text):
        raise Refused("control characters in the text")
    return text


def harmless(text):
    """The same text, without mentions and images."""
    return text.replace("@", "@\u200b").replace("![", "!\u200b[").replace("<img", "&lt;img")


def comment(text, run):
    return (
        f"{MARK}\n{harmless(text)}\n\nMeasured at {run['head_sha'][:12]} by "
        f"[this run]({run['html_url']}), which ran the code of the pull request.\n"
    )


def post(run, number, body, ask):
    """Updates the existing comment, or creates one."""
    repository = run["repository"]["full_name"]
    path = f"repos/{repository}/issues/{number}/comments"
    there = json.loads(ask(f"{path}?per_page=100"))
    own = [
        it["id"]
        for it in there
        if it["user"]["login"] == "github-actions[bot]" and it["body"].startswith(MARK)
    ]
    data = json.dumps({"body": body}).encode()
    if own:
        ask(f"repos/{repository}/issues/comments/{own[0]}", "--method", "PATCH", body=data)
    else:
        ask(path, "--method", "POST", body=data)


def main(ask=api):
    with open(os.environ["GITHUB_EVENT_PATH"], encoding="utf-8") as file:
        run = json.load(file)["workflow_run"]
    number = pull_request(run, ask)
    if number is None:
        print("the pull request is closed or has newer commits: nothing to post")
        return
    try:
        text = text_of(artifact(run, ask))
    except Refused as reason:
        sys.exit(f"error: nothing is posted: {reason}")
    post(run, number, comment(text, run), ask)


if __name__ == "__main__":
    main()

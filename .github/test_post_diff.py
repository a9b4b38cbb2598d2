"""What post_diff.py accepts from an artifact, and what it refuses: `python3 .github/test_post_diff.py`."""

import io
import json
import os
import tempfile
import unittest
import zipfile

import post_diff
from post_diff import Refused, text_of

RUN = {
    "id": 7,
    "head_sha": "a" * 40,
    "head_branch": "faster&x=1",
    "html_url": "https://github.com/o/r/actions/runs/7",
    "head_repository": {"id": 99, "owner": {"login": "fork"}},
    "repository": {"full_name": "o/r"},
    # As in a fork's event.
    "pull_requests": [],
}


def archive(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return data.getvalue()


class Text(unittest.TestCase):
    def test_one_member_is_read(self):
        self.assertEqual(text_of(archive({"diff.md": "**faster** ±1 %\n"})), "**faster** ±1 %\n")

    def test_anything_else_is_refused(self):
        planted = {
            "two members": archive({"diff.md": "a", "run.sh": "b"}),
            "another name": archive({"../diff.md": "a"}),
            "nothing": archive({}),
            "not an archive": b"diff",
            "not UTF-8": archive({"diff.md": b"\xff\xfe"}),
            "control characters": archive({"diff.md": "\x1b[2J"}),
            "too long": archive({"diff.md": "a" * 60_001}),
            "a bomb": archive({"diff.md": b"\0" * 100_000_000}),
            "too many bytes": b"PK" + bytes(300_000),
        }
        for name, data in planted.items():
            with self.subTest(name), self.assertRaises(Refused):
                text_of(data)

    def test_nobody_is_called_and_nothing_is_loaded(self):
        said = post_diff.comment("@everyone ![x](https://a/b.png) <img src=x>", RUN)
        self.assertNotIn("@everyone", said)
        self.assertNotIn("![", said)
        self.assertNotIn("<img", said)


class Post(unittest.TestCase):
    """From end to end, with answers as GitHub would give them."""

    def setUp(self):
        self.asked = []
        self.pulls = [
            # A branch of the same name elsewhere, and an older head.
            {"number": 1, "head": {"sha": "a" * 40, "repo": {"id": 5}}},
            {"number": 2, "head": {"sha": "b" * 40, "repo": {"id": 99}}},
            {"number": 3, "head": {"sha": "a" * 40, "repo": {"id": 99}}},
        ]
        self.comments = []
        self.artifacts = [{"id": 11, "name": "diff", "size_in_bytes": 300}]
        # The artifact claims another number: it must not matter.
        self.data = archive({"diff.md": "number 666"})

    def ask(self, path, *options, body=None):
        self.asked.append((path, options, body))
        if "/pulls?" in path:
            return json.dumps(self.pulls).encode()
        if path.endswith("/artifacts"):
            return json.dumps({"artifacts": self.artifacts}).encode()
        if path.endswith("/zip"):
            return self.data
        return json.dumps(self.comments).encode()

    def run_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as event:
            json.dump({"workflow_run": RUN}, event)
            event.flush()
            os.environ["GITHUB_EVENT_PATH"] = event.name
            post_diff.main(self.ask)
        return [(path, options) for path, options, body in self.asked if body is not None]

    def test_the_number_is_that_of_the_event(self):
        self.assertEqual(self.run_it(), [("repos/o/r/issues/3/comments", ("--method", "POST"))])
        self.assertIn("head=fork%3Afaster%26x%3D1", self.asked[0][0])

    def test_an_earlier_comment_is_replaced_if_it_is_its_own(self):
        bot = {"login": "github-actions[bot]"}
        self.comments = [
            {"id": 1, "user": {"login": "somebody"}, "body": post_diff.MARK},
            {"id": 2, "user": bot, "body": post_diff.MARK + "\nold"},
        ]
        self.assertEqual(self.run_it(), [("repos/o/r/issues/comments/2", ("--method", "PATCH"))])

    def test_nothing_is_posted_where_something_is_wrong(self):
        self.pulls = self.pulls[:2]
        self.assertEqual(self.run_it(), [])
        self.setUp()
        self.artifacts *= 2
        with self.assertRaises(SystemExit):
            self.run_it()
        self.setUp()
        self.artifacts[0]["size_in_bytes"] = 10_000_000
        with self.assertRaises(SystemExit):
            self.run_it()
        self.assertFalse(any(body for _, _, body in self.asked))


if __name__ == "__main__":
    unittest.main()

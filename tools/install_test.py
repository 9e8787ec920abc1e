#!/usr/bin/python3
"""tools/install: the documents that it installs lead to each other."""

import os
import re
import subprocess
import tempfile
import unittest

TREE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

# In the place of bazel: nothing is built, and the binaries are empty.
BAZEL = """#!/bin/bash
if [[ $1 == info ]]; then echo "$(dirname "$0")/bin"; fi
"""
BUILT = ["server/cli/guise", "server/guised", "shim/guise-shim"]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)


class InstallTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        write(directory.name + "/bazel", BAZEL)
        for path in BUILT:
            write(directory.name + "/bin/" + path, "")
        self.prefix = directory.name + "/prefix"
        path = directory.name + ":" + os.environ["PATH"]
        subprocess.run([TREE + "/tools/install", self.prefix], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": path})
        self.documents = self.prefix + "/share/doc/guise"

    def test_links_lead_to_what_is_there(self):
        links = []
        for directory, _, names in os.walk(self.documents):
            for name in names:
                if not name.endswith(".md"):
                    continue
                with open(os.path.join(directory, name), encoding="utf-8") as file:
                    links += [(os.path.join(directory, name), to) for to in re.findall(r"\]\(([^)#:]+)[^)]*\)", file.read())]
        # The code is not installed.
        links = [(document, to) for document, to in links if not re.search(r"\.(cc|h|S|c)$", to)]
        self.assertGreater(len(links), 50)
        broken = [link for link in links if not os.path.exists(os.path.join(os.path.dirname(link[0]), link[1]))]
        self.assertEqual(broken, [])

    def test_fields_of_policies_profiles_and_calls_are_told(self):
        for path in ["proto/control/v1/sandbox.proto", "proto/control/v1/sessions.proto",
                     "personalities/legacy/profile.proto", "personalities/legacy/profiles/el6.textproto"]:
            self.assertTrue(os.path.isfile(os.path.join(self.documents, path)), path)


if __name__ == "__main__":
    unittest.main()

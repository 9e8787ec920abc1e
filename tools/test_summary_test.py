#!/usr/bin/python3
"""What tools/test_summary counts, and what it must not miss."""

import importlib.machinery
import importlib.util
import io
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True


def load(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


subject = load("test_summary")

GTEST = """<testsuites><testsuite name="A">
<testcase name="Good" classname="A" status="run" result="completed"/>
<testcase name="Bad" classname="A" status="run" result="completed"><failure message="1 != 2"/></testcase>
<testcase name="Skipped" classname="A" status="run" result="skipped"><skipped message="no SUD&#x0A;here"/></testcase>
<testcase name="DISABLED_Off" classname="A" status="notrun" result="suppressed"/>
</testsuite></testsuites>"""
ALL_GOOD = '<testsuites><testsuite><testcase name="Good" classname="A" status="run"/></testsuite></testsuites>'
# What Bazel writes for a test that wrote none.
BAZEL = '<testsuites><testsuite name="t" tests="1"><testcase name="t" status="run"/></testsuite></testsuites>'


class TestSummaryTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.events = []

    def result(self, label, status, xml=None, log="", attempt=1, shard=1):
        outputs = []
        for name, text in (("test.xml", xml), ("test.log", log)):
            if text is not None:
                path = os.path.join(self.scratch.name, "%d %s" % (len(self.events), name))
                with open(path, "w", encoding="utf-8") as out:
                    out.write(text)
                outputs.append({"name": name, "uri": "file://" + path.replace(" ", "%20")})
        self.events.append(
            {
                "id": {"testResult": {"label": label, "run": 1, "shard": shard, "attempt": attempt}},
                "testResult": {"status": status, "testActionOutput": outputs},
            }
        )

    def summary(self, exit_code=0, expected=()):
        summary = subject.summarise(self.events, exit_code, set(expected))
        out = io.StringIO()
        summary.print(out)
        self.text = out.getvalue()
        return self.text.splitlines()[-1]

    def test_counts_cases_and_gives_reasons(self):
        self.result("//a:t", "FAILED", GTEST)
        self.assertEqual(self.summary(3), "1 passed, 1 failed, 2 skipped")
        self.assertIn("SKIPPED //a:t A.Skipped: no SUD here", self.text)
        self.assertIn("FAILED  //a:t A.Bad: 1 != 2", self.text)

    def test_a_target_without_cases_is_one_case(self):
        self.result("//a:good", "PASSED", BAZEL)
        self.result("//a:bad", "FAILED", BAZEL)
        self.result("//a:none", "PASSED")
        self.assertEqual(self.summary(3), "2 passed, 1 failed, 0 skipped")

    def test_a_target_without_cases_says_that_it_skipped(self):
        self.result("//a:t", "PASSED", BAZEL, log="hello\nSKIP: no KVM\n")
        self.assertEqual(self.summary(), "0 passed, 0 failed, 1 skipped")
        self.assertIn("SKIPPED //a:t: no KVM", self.text)

    def test_a_failed_target_whose_cases_passed_is_a_failure(self):
        self.result("//a:t", "FAILED", ALL_GOOD)
        self.assertEqual(self.summary(3), "1 passed, 1 failed, 0 skipped")

    def test_a_target_that_owes_a_result_is_a_failure(self):
        self.result("//a:t", "PASSED", ALL_GOOD)
        self.assertEqual(self.summary(0, ["//a:t", "//a:lost"]), "1 passed, 1 failed, 0 skipped")
        self.assertIn("FAILED  //a:lost: no result", self.text)

    def test_a_target_that_does_not_build_is_a_failure(self):
        self.events.append({"id": {"targetCompleted": {"label": "//a:lib"}}, "completed": {}})
        self.assertEqual(self.summary(1), "0 passed, 1 failed, 0 skipped")
        self.assertIn("FAILED  //a:lib: did not build", self.text)

    def test_an_unexplained_exit_code_is_a_failure(self):
        self.result("//a:t", "PASSED", ALL_GOOD)
        self.assertEqual(self.summary(1), "1 passed, 1 failed, 0 skipped")

    def test_the_last_attempt_and_all_shards_count(self):
        self.result("//a:t", "FAILED", BAZEL, attempt=1)
        self.result("//a:t", "PASSED", ALL_GOOD, attempt=2)
        self.result("//a:t", "PASSED", ALL_GOOD, shard=2)
        self.assertEqual(self.summary(), "2 passed, 0 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()

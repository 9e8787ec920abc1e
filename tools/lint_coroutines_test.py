#!/usr/bin/python3
"""Good and bad samples for tools/lint_coroutines."""

import importlib.machinery
import importlib.util
import os
import sys
import unittest

sys.dont_write_bytecode = True


def load(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


linter = load("lint_coroutines")

GOOD = [
    "SysTask F() { const SysResult r = co_await below(call); co_return r; }",
    "SysTask F() { const Pinned file = co_await call.PinTarget(); }",
    "SysTask F() { co_await call.Run(nr, args); }",
    "SysTask F() { if (a) { co_await call.Run(nr); } else { auto x = co_await g(1); } }",
    "SysTask F() { const std::optional<std::vector<int>> x = co_await a->b.c(d, e); }",
    "SysTask F() { const auto x = co_await this->Get<Nr::open>(call.Arg<Path>(1), \"a{?\", '}'); }",
    "SysTask F() { [[maybe_unused]] const SysResult r = co_await ns::f(a); }",
    "SysTask F() { const Inode* const inode = co_await Find(key); }",
    "SysTask F() {\n  const SysResult r =\n      co_await below(\n          call);\n}",
    "// x = co_await f({});\n/* y ? co_await g() : 0 */ int z;",
    'const char* s = R"(x = co_await f({}))";',
    "SysTask F() { co_await task; }",
    "auto operator co_await(Task t) { return Awaiter{t}; }",
    "struct alignas(16) S {}; SysTask F() { co_await f(); }",
    "struct alignas(64) S {};",
    "SysTask F() { const uint64_t n = 1'000'000; const int c = co_await f(n, '\\''); }",
]

BAD = [
    ("SysTask F() { SysResult r; r = co_await below(call); }", "whole"),
    ("SysTask F() { const int r = co_await f() + co_await g(); }", "whole"),
    ("SysTask F() { const int r = co_await f(co_await g()); }", "more than one"),
    ("SysTask F() { const int r = 1 + co_await f(); }", "whole"),
    ("SysTask F() { const int r = co_await f() + 1; }", "whole"),
    ("SysTask F() { const int r = co_await f().value(); }", "whole"),
    ("SysTask F() { const int r = co_await f().g(a); }", "whole"),
    ("SysTask F() { co_return co_await f(); }", "whole"),
    ("SysTask F() { if (co_await f()) {} }", "whole"),
    ("SysTask F() { if (a) co_await f(); }", "whole"),
    ("SysTask F() { if (a) {} else co_await f(); }", "whole"),
    ("SysTask F() { while (const int x = co_await f()) {} }", "whole"),
    ("SysTask F() { g(co_await f()); }", "whole"),
    ("SysTask F() { (void)co_await f(); }", "whole"),
    ("SysTask F() { const auto& x = co_await f(); }", "whole"),
    ("SysTask F() { auto&& x = co_await f(); }", "whole"),
    ("SysTask F() { const int x{co_await f()}; }", "nothing may follow"),
    ("SysTask F() { const auto [a, b] = co_await f(); }", "whole"),
    ("SysTask F() { a.b = co_await f(); }", "whole"),
    ("SysTask F() { *p = co_await f(); }", "whole"),
    ("SysTask F() { a[i] = co_await f(); }", "whole"),
    ("SysTask F() { const int x = co_await f({1, 2}); }", "braces"),
    ("SysTask F() { const int x = co_await f(Args{.a = 1}); }", "braces"),
    ("SysTask F() { const int x = co_await f([&] { return 1; }); }", "braces"),
    ("SysTask F() { const int x = co_await f(a ? b : c); }", "conditional"),
    ("SysTask F() { const int x = co_await Task{1}; }", "one call"),
    ("SysTask F() { const int x = co_await (a ? f() : g()); }", "one call"),
    ("#define TRY(x) \\\n  auto r = co_await x;\n", "macro"),
    ("struct alignas(64) S {}; SysTask F() { co_await f(); }", "alignas"),
    ("struct alignas(kLine) S {}; SysTask F() { co_await f(); }", "alignas"),
]


class LintCoroutinesTest(unittest.TestCase):
    def test_good_samples_pass(self):
        for sample in GOOD:
            with self.subTest(sample):
                self.assertEqual(linter.lint(sample), [])

    def test_bad_samples_are_refused_for_their_reason(self):
        for sample, reason in BAD:
            with self.subTest(sample):
                messages = [message for _, message in linter.lint(sample)]
                self.assertTrue(any(reason in message for message in messages), messages)

    def test_findings_carry_the_line(self):
        self.assertEqual([line for line, _ in linter.lint("// one\n/* two\n */ void F() {\n  x = co_await f();\n}")], [4])


if __name__ == "__main__":
    unittest.main()

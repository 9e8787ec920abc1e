"""A second C++ toolchain, clang, beside the default one that Bazel configures itself (gcc, or what CC says)."""

load("@bazel_tools//tools/cpp:lib_cc_configure.bzl", "get_cpu_value", "resolve_labels")
load("@bazel_tools//tools/cpp:unix_cc_configure.bzl", "configure_unix_toolchain")

def _clang_toolchain_impl(repository_ctx):
    clang = repository_ctx.which("clang")
    if clang == None:
        # A build with gcc must not need clang: say so only to who asks for this toolchain.
        repository_ctx.file("BUILD", "# clang is not installed: tools/setup installs it.\n")
        return
    configure_unix_toolchain(repository_ctx, get_cpu_value(repository_ctx), {"gcc": str(clang)})

clang_toolchain = repository_rule(
    implementation = _clang_toolchain_impl,
    configure = True,
    environ = ["PATH"],
    local = True,
)

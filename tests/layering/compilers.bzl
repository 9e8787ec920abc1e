"""The same target built by both compilers, for tests of what comes out."""

def _by_clang(settings, attr):
    # As --config=clang in .bazelrc does.
    return {
        "//command_line_option:crosstool_top": "@local_config_clang//:toolchain",
        "//command_line_option:platform_suffix": "-clang",
    }

_clang = transition(
    implementation = _by_clang,
    inputs = [],
    outputs = [
        "//command_line_option:crosstool_top",
        "//command_line_option:platform_suffix",
    ],
)

def _built_by_clang_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.symlink(output = out, target_file = ctx.files.target[0])
    return [DefaultInfo(files = depset([out]), runfiles = ctx.runfiles([out]))]

built_by_clang = rule(
    implementation = _built_by_clang_impl,
    doc = "The file of `target` as clang builds it, whatever compiler the build uses; named as this target.",
    attrs = {
        "target": attr.label(cfg = _clang),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

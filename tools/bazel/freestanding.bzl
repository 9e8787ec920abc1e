"""Freestanding code and images: the shim, which lives in a stranger's process, without libc and before it.

Bazel's toolchain adds flags that such code must not have (stack protector, fortification, frame pointers, gold,
-lstdc++). Its compile flags are one feature, turned off here; its link flags cannot be turned off one by one, so
`freestanding_image` runs the linker by itself. A test on the built image (tests/layering) holds what this promises.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")
load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_COMPILE_ACTION_NAME")

# The same in every compilation mode and configuration: a shim under test is the shim that ships. The last word in the
# command line is ours, so that sanitizers and coverage asked for on the command line stay out.
_COPTS = [
    "-Wall",
    "-Wextra",
    "-O2",
    "-g1",
    "-ffreestanding",
    "-fPIE",
    "-fvisibility=hidden",
    "-fno-stack-protector",
    "-U_FORTIFY_SOURCE",
    "-fcf-protection=none",
    # No SSE, AVX, x87: the guest's FP state is live. The red zone stays: this code runs on stacks of its own.
    "-mgeneral-regs-only",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    # Compilers warn of C++ flags when they assemble; these are for .cc only and harmless otherwise.
    "-fno-threadsafe-statics",
    "-fno-sanitize=all",
    "-fno-profile-arcs",
]

# Without SSE gcc clears and copies what is larger than a few words by string instructions, which take longer to begin
# than a call's outcome takes to be written word by word.
_GCC_COPTS = [
    "-mmemset-strategy=unrolled_loop:256:noalign,rep_8byte:-1:noalign",
    "-mmemcpy-strategy=unrolled_loop:256:noalign,rep_8byte:-1:noalign",
]

_FEATURES = [
    "-default_compile_flags",
    "-layering_check",
]

def freestanding_library(name, srcs = [], hdrs = [], copts = [], deps = [], **kwargs):
    """A cc_library for code of a freestanding image; .cc and .S sources.

    Compiled without libc, exceptions, RTTI, floating point or SIMD, position independent, hidden by default. The
    compiler may still call memcpy, memmove, memset and memcmp: the image must define them (built with
    copts = ["-fno-builtin", "-fno-tree-loop-distribute-patterns"]).

    A header-only library that hosted code shares (proto/wire) is a plain cc_library; it may be in deps.
    Unit tests of portable parts compile the same sources in a cc_test, or depend on this target.

    Example:
        freestanding_library(
            name = "gate",
            srcs = ["gate.cc", "gate_entry.S"],
            hdrs = ["gate.h"],
            deps = ["//proto/wire"],
        )

    Args:
      name: the target's name.
      srcs: .cc, .S and private .h files.
      hdrs: public headers.
      copts: more flags, after the fixed ones.
      deps: freestanding_library or header-only cc_library targets.
      **kwargs: passed to cc_library (visibility, testonly, textual_hdrs, alwayslink, tags).
    """
    native.cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        copts = _COPTS + select({
            "//tools/bazel:clang": [],
            "//conditions:default": _GCC_COPTS,
        }) + copts,
        features = _FEATURES,
        linkstatic = True,
        deps = deps,
        **kwargs
    )

def freestanding_image(name, srcs = [], deps = [], copts = [], linkopts = [], linker_script = None, entry = "_start", **kwargs):
    """A position-independent executable without libc, C runtime files or dynamic linker; the output is called `name`.

    Linked by ld.bfd (gold refuses --no-dynamic-linker) with two segments and no gap between them, no executable stack, and
    an error for anything undefined. Few mappings, because a fork has to copy them. Beside it, `<name>.map` is the linker's map.

    Example:
        freestanding_image(
            name = "guise-shim",
            srcs = ["start.S", "main.cc"],
            deps = [":gate", ":loader"],
            visibility = ["//tests:__subpackages__"],
        )

    Args:
      name: the image's name.
      srcs: its own .cc and .S files, all of them linked in (those of deps are linked in as needed, like any archive).
      deps: freestanding_library targets.
      copts: more compiler flags for srcs.
      linkopts: more flags for the link.
      linker_script: a file handed to ld with -T.
      entry: the entry symbol.
      **kwargs: visibility, testonly, tags.
    """
    objects = name + "_objects"
    freestanding_library(
        name = objects,
        srcs = srcs,
        copts = copts,
        deps = deps,
        alwayslink = True,
        testonly = kwargs.get("testonly"),
        tags = kwargs.get("tags"),
        visibility = ["//visibility:private"],
    )
    _freestanding_link(
        name = name,
        deps = [":" + objects],
        entry = entry,
        linker_script = linker_script,
        linkopts = linkopts,
        **kwargs
    )

def _freestanding_link_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain)
    compiler = cc_common.get_tool_for_action(feature_configuration = features, action_name = CPP_COMPILE_ACTION_NAME)

    image = ctx.actions.declare_file(ctx.label.name)
    map_file = ctx.actions.declare_file(ctx.label.name + ".map")
    inputs = []

    args = ctx.actions.args()
    args.add_all([
        "-fuse-ld=bfd",
        # No -static-pie, whose DT_DEBUG a debugger takes for that of the program, which it should ask instead.
        "-shared",
        "-nostdlib",
        "-Wl,--no-dynamic-linker",
        "-Wl,--fatal-warnings",
        "-Wl,--no-undefined",
        "-Wl,-z,noseparate-code",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,noexecstack",
        "-Wl,-z,text",
        "-Wl,-z,relro",
        "-Wl,-z,now",
        "-Wl,--build-id=sha1",
        "-Wl,--hash-style=gnu",
        "-Wl,-e," + ctx.attr.entry,
    ])
    args.add(map_file, format = "-Wl,-Map=%s")
    if ctx.file.linker_script:
        args.add(ctx.file.linker_script, format = "-Wl,-T,%s")
        inputs.append(ctx.file.linker_script)
    args.add("-o", image)

    args.add("-Wl,--start-group")
    for dep in ctx.attr.deps:
        for linker_input in dep[CcInfo].linking_context.linker_inputs.to_list():
            for library in linker_input.libraries:
                archive = library.pic_static_library or library.static_library
                if not archive:
                    fail("%s: not a static library" % linker_input.owner)
                inputs.append(archive)
                if library.alwayslink:
                    args.add("-Wl,--whole-archive")
                args.add(archive)
                if library.alwayslink:
                    args.add("-Wl,--no-whole-archive")
    args.add("-Wl,--end-group")
    args.add_all(ctx.attr.linkopts)

    ctx.actions.run(
        executable = compiler,
        arguments = [args],
        inputs = depset(inputs, transitive = [toolchain.all_files]),
        outputs = [image, map_file],
        env = {"PATH": "/usr/bin:/bin"},
        mnemonic = "FreestandingLink",
        progress_message = "Linking freestanding image %s" % ctx.label,
    )
    return [DefaultInfo(
        executable = image,
        files = depset([image]),
        runfiles = ctx.runfiles(files = [image]),
    ), OutputGroupInfo(map = depset([map_file]))]

_freestanding_link = rule(
    implementation = _freestanding_link_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo]),
        "entry": attr.string(),
        "linker_script": attr.label(allow_single_file = True),
        "linkopts": attr.string_list(),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    executable = True,
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)

"""Guest programs: what runs *under* Guise in tests and benches, linked in every way a program can be.

Guests are built by Debian's compilers as a distribution would, never by Bazel's toolchain: no flag of the host build
(sanitizers, gold, --config=clang) reaches them.
"""

_VARIANTS = {
    "dynamic": struct(musl = False, flags = "-fPIE -pie"),
    "static": struct(musl = False, flags = "-fno-pie -no-pie -static"),
    "static_pie": struct(musl = False, flags = "-fPIE -static-pie"),
    "musl": struct(musl = True, flags = "-fPIE -pie"),
    "musl_static": struct(musl = True, flags = "-fno-pie -no-pie -static"),
}

def guest_binary(
        name,
        srcs,
        variants = ["dynamic", "static", "static_pie", "musl"],
        hdrs = [],
        copts = [],
        linkopts = [],
        **kwargs):
    """Builds one guest in several variants: targets `<name>_<variant>` (files `<name>_<variant>.elf`); `<name>` is all of them.

    C sources are compiled by gcc, C++ sources (.cc) by g++ -std=c++20; .S is welcome in both. Variants:
      dynamic      glibc, dynamic PIE
      static       glibc, static at a fixed address
      static_pie   glibc, static PIE
      musl         musl, dynamic PIE (C only)
      musl_static  musl, static at a fixed address (C only)
    C++ guests have no musl: the default variants leave it out for them.

    Includes are written from the root of the repository.

    Example:
        guest_binary(
            name = "red_zone",
            srcs = ["red_zone.c"],
            visibility = ["//tests:__subpackages__"],
        )
        sh_test(..., args = ["$(location :red_zone_static)"], data = [":red_zone_static"])

    Args:
      name: the prefix of the outputs, and the name of a filegroup of all variants.
      srcs: .c, or .cc, and .S files.
      variants: which of the above.
      hdrs: headers that srcs include.
      copts: more compiler flags. `-O2 -g -Wall -Wextra -Werror -pthread` are there.
      linkopts: more linker flags, after the sources.
      **kwargs: visibility, testonly, tags.
    """
    cxx = any([src.endswith(".cc") for src in srcs])
    if cxx and variants == ["dynamic", "static", "static_pie", "musl"]:
        variants = ["dynamic", "static", "static_pie"]
    for variant in variants:
        how = _VARIANTS[variant]
        if how.musl and cxx:
            fail("%s: there is no C++ for musl" % name)
        native.genrule(
            name = "%s_%s" % (name, variant),
            srcs = srcs + hdrs,
            outs = ["%s_%s.elf" % (name, variant)],
            cmd = _compile(
                compiler = "musl-gcc" if how.musl else ("g++ -std=c++20" if cxx else "gcc"),
                # musl-gcc sees no kernel headers, and must not see glibc's.
                before = _KERNEL_HEADERS if how.musl else "",
                flags = [how.flags] + copts,
                srcs = srcs,
                linkopts = linkopts,
            ),
            executable = True,
            message = "Compiling guest",
            **kwargs
        )
    native.filegroup(
        name = name,
        srcs = [":%s_%s" % (name, variant) for variant in variants],
        **kwargs
    )

_KERNEL_HEADERS = """
kernel_headers=$$(mktemp -d)
trap 'rm -rf "$$kernel_headers"' EXIT
ln -s /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm "$$kernel_headers"
set -- -idirafter "$$kernel_headers"
"""

def _compile(compiler, before, flags, srcs, linkopts):
    return """
set -eu
set --
{before}
{compiler} "$$@" -O2 -g -Wall -Wextra -Werror -pthread -ffile-prefix-map="$$PWD"=. -iquote . -iquote $(GENDIR) \\
  {flags} -o $@ {srcs} {linkopts}
""".format(
        before = before,
        compiler = compiler,
        flags = " ".join(flags),
        srcs = " ".join(["$(locations %s)" % src for src in srcs]),
        linkopts = " ".join(linkopts),
    )

def go_guest(name, srcs, **kwargs):
    """Builds a guest from the .go files of one package main: static, no cgo, makes its own syscalls.

    Offline, standard library only. The compiled standard library is cached in the output base, by content.

    Example:
        go_guest(
            name = "go_files",
            srcs = ["go_files.go"],
        )

    Args:
      name: the target's name; the file is `<name>.elf`.
      srcs: .go files.
      **kwargs: visibility, testonly, tags.
    """
    native.genrule(
        name = name,
        srcs = srcs,
        outs = [name + ".elf"],
        cmd = """
set -eu
export CGO_ENABLED=0 GO111MODULE=off GOPROXY=off GOTOOLCHAIN=local GOFLAGS=
export GOCACHE="$$PWD/bazel-out/_go/cache" GOPATH="$$PWD/bazel-out/_go/path"
go build -p 1 -trimpath -buildvcs=false -o $@ $(SRCS)
""",
        executable = True,
        message = "Compiling Go guest",
        **kwargs
    )

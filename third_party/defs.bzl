"""System libraries as Bazel targets."""

def system_library(name, libraries = [], always = [], deps = []):
    """A library that a Debian package has installed under /usr.

    Headers are found in the compiler's default path (so they are system headers: no warnings, and no `includes`), the
    shared objects by the linker.

    Args:
      name: the target's name.
      libraries: names for -l, linked only if a symbol of theirs is used (--as-needed), so that starting `guise` does
        not load what it does not need.
      always: names for -l that act by being loaded (static initialisers).
      deps: other system libraries that users of this one need too.
    """
    linkopts = []
    if libraries:
        linkopts += ["-Wl,--push-state,--as-needed"] + ["-l" + lib for lib in libraries] + ["-Wl,--pop-state"]
    if always:
        linkopts += ["-Wl,--push-state,--no-as-needed"] + ["-l" + lib for lib in always] + ["-Wl,--pop-state"]
    native.cc_library(
        name = name,
        linkopts = linkopts,
        deps = deps,
    )

def system_archives(name, libraries, deps):
    """Archives that stand in for shared objects of the same names: the linker meets them first.

    Args:
      name: the target's name.
      libraries: names for -l, in any order.
      deps: the system libraries that they stand in for.
    """
    native.cc_library(
        name = name,
        # The compiler names its own libraries, the C++ one maybe among these, behind all others.
        linkopts = ["-Wl,--start-group"] + ["-l:lib%s.a" % lib for lib in libraries] +
                   ["-Wl,--end-group", "-Wl,--as-needed", "-static-libgcc"],
        deps = deps,
    )

"""C++ code of .proto files, by Debian's protoc and grpc_cpp_plugin."""

def guise_cc_proto(name, srcs, deps = [], **kwargs):
    """A cc_library with the messages and gRPC services of some .proto files.

    `proto/control/v1/session.proto` gives `proto/control/v1/session.pb.h` and `session.grpc.pb.h` (present, and nearly
    empty, also where a file defines no service). Imports are written from the root of the repository and may name
    files in srcs or deps, and the well-known types. A file's path must be unique, its dots but one none.

    The generated headers are marked as system headers and the generated sources are exempt from -Werror (.bazelrc):
    their warnings are not ours to mend.

    Example:
        guise_cc_proto(
            name = "session_cc_proto",
            srcs = ["session.proto"],
            visibility = ["//server:__subpackages__"],
        )

    Args:
      name: the cc_library's name.
      srcs: the .proto files, of this package.
      deps: other guise_cc_proto targets whose .proto files are imported.
      **kwargs: passed to the cc_library (visibility, testonly, tags).
    """
    stems = []
    for src in srcs:
        if not src.endswith(".proto"):
            fail("%s: not a .proto file" % src)
        stems.append(src[:-len(".proto")])

    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [_protos_of(dep) for dep in deps],
        visibility = kwargs.get("visibility"),
    )

    # In another workspace this repository's root is below that one's.
    repository = native.repository_name()[1:]
    root = "external/" + repository if repository else "."

    hdrs = [stem + suffix for stem in stems for suffix in [".pb.h", ".grpc.pb.h"]]
    sources = [stem + suffix for stem in stems for suffix in [".pb.cc", ".grpc.pb.cc"]]
    native.genrule(
        name = name + "_gen",
        srcs = srcs + [_protos_of(dep) for dep in deps],
        outs = hdrs + sources,
        cmd = """
set -eu
protoc --proto_path={root} --cpp_out=$(GENDIR)/{root} --grpc_out=$(GENDIR)/{root} \\
  --plugin=protoc-gen-grpc="$$(command -v grpc_cpp_plugin)" {protos}
for out in $(OUTS); do
  case $$out in *.h) sed -i '1i #pragma GCC system_header' "$$out" ;; esac
done
""".format(root = root, protos = " ".join(["$(locations %s)" % src for src in srcs])),
        message = "Generating C++ of",
    )

    native.cc_library(
        name = name,
        srcs = sources,
        hdrs = hdrs,
        deps = deps + ["//third_party:grpc"],
        **kwargs
    )

def _protos_of(dep):
    return dep + "_protos" if ":" in dep else "%s:%s_protos" % (dep, dep.split("/")[-1])

"""What gdb loads with the symbols of guise-shim, each time: guise_gdb, once.

By itself when it comes upon the shim, which is /proc/PID/exe of a guest, if its auto-load safe-path has the directory; gdb
says how when not. Else `source` it, at best in ~/.gdbinit.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
try:
    import guise_gdb  # noqa: F401
finally:
    del sys.path[0]

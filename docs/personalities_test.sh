#!/bin/bash
# The code in PERSONALITIES.md is the code of the sources ($@), block by block.
set -uo pipefail
document=$(dirname "$(readlink -f "$0")")/PERSONALITIES.md
python3 - "$document" "$@" <<'END'
import re
import sys

document, *sources = sys.argv[1:]
texts = [open(path, encoding="utf-8").read() for path in sources]
blocks = re.findall(r"```cpp\n(.*?)```", open(document, encoding="utf-8").read(), re.DOTALL)
missing = [block for block in blocks if not any(block in text for text in texts)]
for block in missing:
    print("not in the sources:\n" + block, file=sys.stderr)
sys.exit(1 if missing or len(blocks) < 5 else 0)
END

#!/bin/bash
# A key pair, a signature, and its check.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" ssh-keygen
ssh-keygen -q -t ed25519 -N '' -f key; echo text > text; ssh-keygen -q -Y sign -f key -n file text 2> /dev/null
ssh-keygen -Y check-novalidate -n file -s text.sig < text > /dev/null; echo pass

#!/bin/bash
# A server, a window, and what it shows.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" tmux
tmux -L "g$$" -f /dev/null new-session -d 'echo shown; tmux -L '"g$$"' wait-for -S ready; cat'
tmux -L "g$$" wait-for ready; tmux -L "g$$" capture-pane -p | head -1; tmux -L "g$$" kill-server; echo pass

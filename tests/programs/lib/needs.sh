# Sourced: leaves with 77, "not installed here", unless every program named is there for everybody.
for needed in "$@"; do
  PATH=/usr/bin:/bin:/usr/sbin:/sbin command -v "$needed" > /dev/null || { echo "needs $needed"; exit 77; }
done
set --

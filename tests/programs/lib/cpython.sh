# Sourced with a module's name: CPython's own tests of it; what each case came to is compared with the native run.
module=$1
. "${BASH_SOURCE[0]%/*}/needs.sh" python3.11
code=0
python3.11 -m unittest -v "test.$module" > log 2>&1 < /dev/null || code=$?
grep -oE '^test[A-Za-z0-9_]* \([^)]*\).*\.\.\. .*' log | sed -E 's/ \.\.\. skipped .*/ skipped/' | sort || true
tail -1 log; echo "exit $code"; echo pass

#include "tests/differential/cases.h"

namespace guise::tests {

std::vector<Differential> FileCases() {
  std::vector<Differential> cases;
  cases.push_back(Script("coreutils", R"sh(
mkdir -p d/e; echo text > d/f; cp -a d copy; mv copy moved; ln d/f hard; ln -s d/f soft; ln -sr d/e/.. rel
touch -d '2001-02-03 04:05:06 UTC' d/f; stat -c '%A %s %h %F %Y' d/f; stat -L -c %s soft; readlink -f rel
chmod 4750 d/f; stat -c %a d/f; install -m 640 d/f inst; mktemp -u x.XXX | wc -c; truncate -s 10000 sparse
dd if=/dev/zero of=z bs=1k count=64 2> /dev/null; cksum z; md5sum z d/f; sha256sum z; base64 d/f; od -c d/f
du --apparent-size -s d | cut -f1; df . > /dev/null; ls -R | sort; test -w d/f; echo $?; split -n 3 z part.; rm -r d/e
mkfifo p; (echo through > p &) ; cat p; sync; comm <(echo a) <(echo a); join <(echo 1 a) <(echo 1 b); paste d/f d/f
date -u -d @0 +%F; factor 1234567; seq -s, 5; shuf -i 1-1; expr 6 '*' 7; basename /a/b.c .c; nproc > /dev/null
)sh"));
  cases.push_back(Script("find", R"sh(
mkdir -p a/b/c x; touch a/1 a/b/2 a/b/c/3 x/'with space'; ln -s ../a x/link; chmod 700 a/b
find . | sort; find . -type l -printf '%p -> %l\n'; find . -perm 700 -type d; find . -name '*[0-9]' -exec echo {} + | tr ' ' '\n' | sort
find . -size 0 -o -type l | sort; find -L . -type f | sort; find . -empty -type f -delete; find . | sort
)sh"));
  cases.push_back(Script("tar", R"sh(
mkdir -p t/d; seq 1000 > t/f; ln t/f t/hard; ln -s f t/soft; chmod 751 t/d; touch t/d/.hidden
touch -h -d @1000000000 t t/d t/d/.hidden t/f t/soft
tar --sort=name --numeric-owner --owner=1 --group=1 -cf a.tar t; tar -tf a.tar; mkdir out; tar -C out -xf a.tar
diff -r t out/t && echo same; tar -czf a.tgz t; tar -tzf a.tgz | wc -l; tar -cf - t | (cd out && tar --transform 's/^t/u/' -xf -); ls out
md5sum a.tar; rm a.tgz
)sh"));
  cases.push_back(Script("cpio_and_gzip", R"sh(
seq 5000 > f; gzip -n -k f; zcat f.gz | md5sum; gunzip -c f.gz | cmp - f && echo equal; xz -k f; xzcat f.xz | tail -1
bzip2 -k f && bzcat f.bz2 | head -1; ls
)sh",
                         {"xz", "bzip2"}));
  cases.push_back(Script("diff_and_patch", R"sh(
seq 20 > a; sed 's/^7$/seven/' a > b; diff -u --label a --label b a b > p; cat p; patch -s a p && cmp a b && echo patched; rm -f a.orig
)sh",
                         {"patch"}));
  cases.push_back(Script("many_files", R"sh(
mkdir m; cd m; for i in $(seq 500); do : > file$i; done; ls | wc -l; chmod 600 *; rm file1*; ls | wc -l
for i in $(seq 2 40); do mkdir -p d$i/e$i; done; find . -type d | wc -l; rm -r d*
)sh"));
  cases.push_back(Script("long_and_odd_names", R"sh(
n=$(printf 'n%.0s' $(seq 255)); touch "$n"; ls | wc -c; touch "${n}x" 2> /dev/null; echo $?
d=.; for i in $(seq 30); do d=$d/$(printf 'd%.0s' $(seq 100)); done; mkdir -p $d; touch $d/end; find . -name end | wc -c
touch $'new\nline' $'\xff\xfe' '*' ' ' '-rf'; ls -b; rm -- '-rf'; rm -r ./d*
)sh"));
  cases.push_back(Script("permissions_of_a_file_at_hand", R"sh(
umask 077; touch a; mkdir b; umask 000; touch c; mkdir d; stat -c '%n %A' a b c d; chmod u+s,g+s,+t d; stat -c %a d
chmod 0 a; stat -c %a a; chmod 644 a; chmod a=r,u+w a; stat -c %A a
)sh"));
  cases.push_back(Script("rsync_locally", R"sh(
mkdir -p s/x; seq 100 > s/f; ln -s f s/l; rsync -a --no-owner --no-group s/ t/; diff -r s t && echo same; rsync -a --delete --no-o --no-g -n -i s/ t/
)sh",
                         {"rsync"}));
  cases.push_back(Script("sqlite3", R"sh(
sqlite3 t.db 'create table t(a integer primary key, b text); begin; insert into t(b) values("x"),("y"),("z"); commit; select count(*), group_concat(b) from t;'
seq 2000 | sqlite3 t.db '.import /dev/stdin n' 2> /dev/null; sqlite3 -header t.db 'select a, b from t order by a desc; pragma integrity_check;'
sqlite3 t.db 'pragma journal_mode=wal; update t set b = b || a; select b from t;'; ls
)sh",
                         {"sqlite3"}));
  cases.push_back(Script("git_clone", R"sh(
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='@1 +0000' GIT_COMMITTER_DATE='@1 +0000'
export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' GIT_CONFIG_KEY_1=gc.auto GIT_CONFIG_VALUE_1=0
git init -q -b main r; cd r; seq 100 > f; mkdir d; echo x > d/g; git add .; git commit -qm one; seq 50 > f; git commit -qam two; cd ..
git clone -q r c; cd c; git log --oneline; git show --stat HEAD; git diff HEAD~1 | md5sum; git status --short; git fsck 2>&1
git checkout -qb topic; echo y >> d/g; git commit -qam three; git push -q origin topic; git -C ../r branch; git rebase -q main; git gc -q; git log --format=%H | wc -l
cd ..; find . -name '*.idx' -o -name '*.rev' -o -name '*.pack' | wc -l; rm -rf r/.git c/.git
)sh",
                         {"git"}));
  return cases;
}

}  // namespace guise::tests

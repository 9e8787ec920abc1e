#!/bin/bash
# The JVM with threads.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" java javac
cat > T.java <<'END'
public class T { public static void main(String[] a) throws Exception { int[] r = new int[4]; Thread[] t = new Thread[4];
  for (int i = 0; i < 4; i++) { int k = i; t[i] = new Thread(() -> r[k] = k * k); t[i].start(); } for (Thread x : t) x.join(); System.out.println(java.util.Arrays.toString(r)); } }
END
javac T.java; java T; echo pass

#!/bin/bash
# A program built with ThreadSanitizer: a clean run with threads.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" gcc
cat > t.c <<'END'
#include <pthread.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static int n;
static void* add(void* p) { for (int i = 0; i < 1000; i++) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); } return p; }
int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(t + i, 0, add, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); return n != 4000; }
END
gcc -g -fsanitize=thread -pthread -o t t.c; ./t; echo pass

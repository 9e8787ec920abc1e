#include "shim/memory.h"

extern "C" {

void* memcpy(void* to, const void* from, size_t size) {
  void* const result = to;
  // SAFETY: both ranges belong to the caller; direction flag is clear by the psABI.
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}

void* memmove(void* to, const void* from, size_t size) {
  const auto start = reinterpret_cast<uintptr_t>(to);
  const auto source = reinterpret_cast<uintptr_t>(from);
  if (start - source >= size) return memcpy(to, from, size);
  void* const result = to;
  void* last_to = static_cast<char*>(to) + size - 1;
  const void* last_from = static_cast<const char*>(from) + size - 1;
  // SAFETY: both ranges belong to the caller; the direction flag is clear again for whoever comes next. No loop in C++:
  // compilers make calls of memmove out of those.
  __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(last_to), "+S"(last_from), "+c"(size) : : "memory");
  return result;
}

void* memset(void* to, int byte, size_t size) {
  void* const result = to;
  // SAFETY: the range belongs to the caller; direction flag is clear by the psABI.
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
  return result;
}

int memcmp(const void* a, const void* b, size_t size) {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < size; ++i) {
    if (x[i] != y[i]) return x[i] - y[i];
  }
  return 0;
}

}  // extern "C"

namespace guise::shim {

size_t Length(const char* text) {
  size_t length = 0;
  while (text[length] != 0) ++length;
  return length;
}

bool Equal(const char* a, const char* b) {
  while (*a != 0 && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

bool StartsWith(const char* text, const char* prefix) {
  while (*prefix != 0) {
    if (*text++ != *prefix++) return false;
  }
  return true;
}

const char* BaseName(const char* path) {
  const char* name = path;
  for (; *path != 0; ++path) {
    if (*path == '/') name = path + 1;
  }
  return name;
}

bool ReadNumber(const char** text, int64_t* value) {
  const char* at = *text;
  const bool negative = *at == '-';
  if (negative) ++at;
  if (*at < '0' || *at > '9') return false;
  int64_t number = 0;
  for (; *at >= '0' && *at <= '9'; ++at) {
    if (number > (INT64_MAX - 9) / 10) return false;
    number = number * 10 + (*at - '0');
  }
  *value = negative ? -number : number;
  *text = at;
  return true;
}

}  // namespace guise::shim

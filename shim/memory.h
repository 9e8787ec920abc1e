// The few library functions that freestanding code needs; compilers call the first four on their own.
#ifndef GUISE_SHIM_MEMORY_H_
#define GUISE_SHIM_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int byte, size_t size);
int memcmp(const void* a, const void* b, size_t size);
}

namespace guise::shim {

size_t Length(const char* text);
bool Equal(const char* a, const char* b);
bool StartsWith(const char* text, const char* prefix);
// The part behind the last slash.
const char* BaseName(const char* path);

// Text in a fixed buffer, cut off when full, always NUL-terminated.
template <size_t kSize>
class Text {
 public:
  Text() { buffer_[0] = 0; }
  Text& Add(const char* text) {
    while (*text != 0 && used_ + 1 < kSize) buffer_[used_++] = *text++;
    buffer_[used_] = 0;
    return *this;
  }
  Text& Add(int64_t number) {
    if (number < 0) {
      Add("-");
      number = -number;
    }
    char digits[24];
    char* at = digits + sizeof(digits);
    *--at = 0;
    do {
      *--at = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return Add(at);
  }
  const char* c_str() const { return buffer_; }
  char* data() { return buffer_; }
  size_t size() const { return used_; }

 private:
  char buffer_[kSize];
  size_t used_ = 0;
};

// Reads a decimal number, perhaps negative, and moves `text` behind it; false when there is none.
bool ReadNumber(const char** text, int64_t* value);

// Of a hexadecimal digit as the kernel writes it; -1: it is none.
inline int HexValue(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

}  // namespace guise::shim

#endif  // GUISE_SHIM_MEMORY_H_

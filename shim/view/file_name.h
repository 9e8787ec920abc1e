// Names of files that this process has mapped.
#ifndef GUISE_SHIM_VIEW_FILE_NAME_H_
#define GUISE_SHIM_VIEW_FILE_NAME_H_

#include <stddef.h>
#include <stdint.h>

namespace guise::shim {

// The name of the file whose mapping `address` lies in, by /proc/self/maps, which costs as much as several mappings.
// False: the kernel does not tell, or the name does not fit, with its NUL; what `name` holds then has no meaning.
bool FileNameAt(uint64_t address, char* name, size_t size);

}  // namespace guise::shim

#endif  // GUISE_SHIM_VIEW_FILE_NAME_H_

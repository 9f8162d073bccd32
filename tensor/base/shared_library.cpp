#include "tensor/base/shared_library.h"

#include <dlfcn.h>

#include "tensor/base/error.h"

namespace athanor {

SharedLibrary::SharedLibrary(const char* path, const char* purpose) : path_(path) {
  handle_ = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (handle_ != nullptr) return;
  const std::string why = dlerror();
  handle_ = dlopen(path_.substr(path_.rfind('/') + 1).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle_ == nullptr) {
    raise(ErrorKind::runtime, "expected the library ", path, ", which ", purpose, " needs: ", why);
  }
}

void* SharedLibrary::address_of(const char* name) const {
  void* address = dlsym(handle_, name);
  if (address == nullptr) raise(ErrorKind::runtime, path_, ": expected a function ", name);
  return address;
}

}  // namespace athanor

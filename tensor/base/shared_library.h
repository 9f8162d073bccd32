// A library of C functions that is loaded when it is first used, so that a program that does not
// use it does not pay for its start: OpenBLAS alone takes 12,000 symbols and a millisecond.
#pragma once

#include <string>

namespace athanor {

class SharedLibrary {
 public:
  // `path`: where it lay when this was built; where it lies elsewhere now, the system is asked for
  // its file name. It stays loaded until the process ends. Throws Error (runtime), saying what it
  // is for.
  SharedLibrary(const char* path, const char* purpose);

  // The function of that name; F is its type, decltype(&name). Throws Error (runtime).
  template <class F>
  F get(const char* name) const {
    return reinterpret_cast<F>(address_of(name));
  }

 private:
  void* address_of(const char* name) const;

  std::string path_;
  void* handle_ = nullptr;
};

// A member of a struct: the function `name` of a library that the struct holds, as its header
// declares it.
#define ATHANOR_LOADED(library, name) \
  decltype(&::name) name = (library).get<decltype(&::name)>(#name)

}  // namespace athanor

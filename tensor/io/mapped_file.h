// Files as bytes: mapped read-only, or read whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "tensor/io/limits.h"

namespace athanor {

// A regular file mapped read-only into memory: pages are read when touched and shared with other
// processes. The file must not be shortened while it is mapped (the system answers such a read with
// SIGBUS); files that this library replaces are safe, since AtomicFile renames.
//
// Errors are ErrorKind::bad_input and name the path: no such file, not a regular file, longer than
// limits.max_bytes. Reading from several threads is safe.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path, const Limits& limits = {});
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// The whole content of a file, which may also be a pipe or a device. Errors as of MappedFile.
std::vector<std::byte> read_file(const std::filesystem::path& path, const Limits& limits = {});

}  // namespace athanor

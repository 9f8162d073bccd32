// Files that appear whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace athanor {

// Writes a file so that a crash, a full disk or a concurrent reader never sees a half-written one:
// the bytes go to a temporary file in the same directory, are flushed to the disk, and take the
// final name by one rename. The temporary file is removed when commit() was not reached.
//
// Errors name the path and the system's reason; ErrorKind::out_of_resources when the disk, the
// quota or the process's limit on file sizes is exhausted, ErrorKind::runtime otherwise. One object
// is for one thread.
class AtomicFile {
 public:
  // Opens the temporary file. The directory of `path` must exist.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  // Writes `size` bytes from `data`.
  void write(const void* data, std::size_t size) {
    write(std::string_view(static_cast<const char*>(data), size));
  }

  // Makes the bytes durable and gives the file its name, replacing an older one. Nothing may be
  // written afterwards.
  void commit();

 private:
  [[noreturn]] void fail_with(const char* action, int error_number);
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

// While one lives, commit() on its thread leaves the directories' part of being durable (that the
// new names last through a power failure) to the end of it, once for each directory. A failure
// there is not told, as in commit().
class DirectorySyncs {
 public:
  DirectorySyncs();
  ~DirectorySyncs();
  DirectorySyncs(const DirectorySyncs&) = delete;
  DirectorySyncs& operator=(const DirectorySyncs&) = delete;

 private:
  friend class AtomicFile;
  void add(const std::filesystem::path& directory);

  std::vector<std::filesystem::path> directories_;
  DirectorySyncs* outer_;
};

// One AtomicFile for bytes that are at hand.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace athanor

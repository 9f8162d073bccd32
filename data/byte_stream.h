// A file read front to back in pieces, decompressed on the way when it is gzip (RFC 1952).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace athanor::data {

// Memory stays constant however long the file is. Errors are bad_input and name the file: it is
// missing or a directory, its gzip stream is corrupt, ends early or is followed by other bytes.
class ByteStream {
 public:
  explicit ByteStream(const std::filesystem::path& path);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  // Up to `size` further bytes; 0 only at the end.
  std::size_t read(char* out, std::size_t size);

  std::uint64_t file_position() const;  // bytes taken from the file, still compressed
  std::uint64_t file_size() const;      // 0 when the system does not know it (a pipe)
  bool compressed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace athanor::data

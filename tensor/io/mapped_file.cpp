#include "tensor/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "tensor/base/error.h"

namespace athanor {
namespace {

[[noreturn]] void fail_to_read(const std::filesystem::path& path, int error_number) {
  const bool exhausted = error_number == ENOMEM || error_number == EMFILE || error_number == ENFILE;
  raise(exhausted ? ErrorKind::out_of_resources : ErrorKind::bad_input, "cannot read '",
        path.string(), "': ", std::generic_category().message(error_number));
}

[[noreturn]] void fail_too_long(const std::filesystem::path& path, const Limits& limits) {
  raise(ErrorKind::bad_input, "cannot read '", path.string(), "': expected at most ",
        limits.max_bytes, " bytes, found more");
}

// An open file that is closed on every path.
class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ < 0) fail_to_read(path, errno);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return value_; }
  struct stat status(const std::filesystem::path& path) const {
    struct stat result;
    if (::fstat(value_, &result) != 0) fail_to_read(path, errno);
    return result;
  }

 private:
  int value_;
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, const Limits& limits) {
  const Descriptor file(path);
  const struct stat status = file.status(path);
  if (!S_ISREG(status.st_mode)) {
    raise(ErrorKind::bad_input, "cannot read '", path.string(), "': expected a regular file");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limits.max_bytes) fail_too_long(path, limits);
  if (size == 0) return;  // an empty file cannot be mapped
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) fail_to_read(path, errno);
  data_ = static_cast<const std::byte*>(mapped);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

std::vector<std::byte> read_file(const std::filesystem::path& path, const Limits& limits) {
  const Descriptor file(path);
  const struct stat status = file.status(path);
  const auto announced = static_cast<std::uint64_t>(std::max<off_t>(status.st_size, 0));
  if (announced > limits.max_bytes) fail_too_long(path, limits);
  // One byte more than announced, so that the end of an unchanged file shows in one round.
  std::vector<std::byte> content(announced + 1);
  std::size_t filled = 0;
  for (;;) {
    if (filled == content.size()) content.resize(content.size() * 2 + 4096);
    const std::size_t chunk = std::min<std::size_t>(content.size() - filled, std::size_t{1} << 30);
    const ssize_t got = ::read(file.get(), content.data() + filled, chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_to_read(path, errno);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
    if (filled > limits.max_bytes) fail_too_long(path, limits);
  }
  content.resize(filled);
  return content;
}

}  // namespace athanor

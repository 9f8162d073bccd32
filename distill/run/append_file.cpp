#include "distill/run/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

[[noreturn]] void fail_with(const char* what, const std::filesystem::path& path, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  raise(full ? ErrorKind::out_of_resources : ErrorKind::runtime, "cannot ", what, " ",
        path.string(), ": ", std::strerror(error));
}

}  // namespace

int open_append(const std::filesystem::path& path, bool truncate) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0);
  const int fd = ::open(path.c_str(), flags, 0644);
  if (fd < 0) fail_with("open", path, errno);
  return fd;
}

void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_with("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void make_directories(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) fail_with("create directory", directory, error.value());
}

}  // namespace athanor::distill

#include "tensor/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "tensor/base/error.h"

namespace athanor {
namespace {

// Creates a new file beside `path`; its name goes to `temporary`. Plain open() rather than
// mkstemp(), so that a new file gets the permissions of the umask and not 0600. Returns -1 with
// errno set.
int create_beside(const std::filesystem::path& path, std::filesystem::path& temporary) {
  static std::atomic<unsigned> counter{0};
  for (int attempt = 0; attempt < 1000; ++attempt) {
    temporary = path;
    temporary += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
  return -1;
}

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // The rename has happened; a directory that cannot be opened for reading only loses durability
  // across a power failure, which some file systems do not offer in the first place.
  if (descriptor < 0) return;
  (void)::fsync(descriptor);
  ::close(descriptor);
}

thread_local DirectorySyncs* innermost = nullptr;

}  // namespace

DirectorySyncs::DirectorySyncs() : outer_(std::exchange(innermost, this)) {}

DirectorySyncs::~DirectorySyncs() {
  innermost = outer_;
  for (const auto& directory : directories_) sync_directory(directory);
}

void DirectorySyncs::add(const std::filesystem::path& directory) {
  if (std::find(directories_.begin(), directories_.end(), directory) == directories_.end()) {
    directories_.push_back(directory);
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  // Replace what a symbolic link points to, not the link.
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) {
    const auto target = std::filesystem::weakly_canonical(path_, ignored);
    if (!ignored) path_ = target;
  }
  descriptor_ = create_beside(path_, temporary_);
  if (descriptor_ < 0) {
    const int error_number = errno;
    temporary_.clear();
    fail_with("cannot create a temporary file beside", error_number);
  }
  // A file that is replaced keeps its permissions. A file system without permissions refuses this;
  // the bytes are what matters.
  struct stat status;
  if (::stat(path_.c_str(), &status) == 0) (void)!::fchmod(descriptor_, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(std::string_view bytes) {
  if (descriptor_ < 0) {
    raise(ErrorKind::runtime, "cannot write '", path_.string(), "': already committed or failed");
  }
  while (!bytes.empty()) {
    const std::size_t chunk = std::min<std::size_t>(bytes.size(), std::size_t{1} << 30);
    const ssize_t written = ::write(descriptor_, bytes.data(), chunk);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail_with("cannot write", errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (descriptor_ < 0) {
    raise(ErrorKind::runtime, "cannot commit '", path_.string(), "': already committed or failed");
  }
  // EINVAL: the target (a pipe, some network file systems) has no notion of synchronising.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail_with("cannot flush", errno);
  const int closed = ::close(std::exchange(descriptor_, -1));
  if (closed != 0) fail_with("cannot close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("cannot replace", errno);
  temporary_.clear();
  const std::filesystem::path parent =
      path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  if (innermost != nullptr) {
    innermost->add(parent);
  } else {
    sync_directory(parent);
  }
}

void AtomicFile::fail_with(const char* action, int error_number) {
  discard();
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  raise(full ? ErrorKind::out_of_resources : ErrorKind::runtime, action, " '", path_.string(),
        "': ", std::generic_category().message(error_number));
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace athanor

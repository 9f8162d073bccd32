#include "tests/cuda/emulation/guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace athanor::emulation {

GuardedMemory::GuardedMemory(std::size_t bytes, std::size_t alignment) : bytes_(bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  const std::size_t usable = (rounded + page - 1) / page * page;
  mapped_ = usable + 2 * page;
  void* pages = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  pages_ = static_cast<unsigned char*>(pages);
  if (usable > 0 && mprotect(pages_ + page, usable, PROT_READ | PROT_WRITE) != 0) {
    munmap(pages_, mapped_);
    throw std::bad_alloc();
  }
  data_ = pages_ + page + usable - rounded;
  std::memset(pages_ + page, 0xFF, usable);
}

GuardedMemory::GuardedMemory(GuardedMemory&& other) noexcept
    : pages_(other.pages_), mapped_(other.mapped_), bytes_(other.bytes_), data_(other.data_) {
  other.pages_ = nullptr;
}

GuardedMemory::~GuardedMemory() {
  if (pages_) munmap(pages_, mapped_);
}

}  // namespace athanor::emulation

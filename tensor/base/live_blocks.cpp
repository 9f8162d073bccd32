#include "tensor/base/live_blocks.h"

#include <mutex>

namespace athanor::detail {
namespace {

struct Slot {
  const char* op = nullptr;  // null: not labelled
  Shape shape;
  DType dtype = DType::f32;
  bool live = false;
  std::int64_t bytes = 0;
  std::uint64_t serial = 0;  // of the block that has the slot now
};

struct Registry {
  std::mutex mutex;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free;
  std::uint64_t next_serial = 1;
};

// Never destroyed: tensors of static storage duration may outlive any other object.
Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

struct NewBlock {
  std::uint32_t number;
  std::uint64_t serial;
};
thread_local std::vector<NewBlock> new_blocks;

// More blocks than one operation allocates: whoever made them launches no kernel.
constexpr std::size_t kMostNew = 64;

}  // namespace

std::uint32_t note_block(std::int64_t bytes, const Shape& shape, DType dtype) {
  if (new_blocks.size() >= kMostNew) label_new_blocks("empty");
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  if (r.free.empty()) {
    r.slots.emplace_back();
    r.free.reserve(r.slots.capacity());  // so that forget_block() needs no memory
    r.free.push_back(static_cast<std::uint32_t>(r.slots.size() - 1));
  }
  const std::uint32_t number = r.free.back();
  new_blocks.push_back({number, r.next_serial});
  r.free.pop_back();
  r.slots[number] = {nullptr, shape, dtype, true, bytes, r.next_serial++};
  return number;
}

void forget_block(std::uint32_t number) noexcept {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  r.slots[number].live = false;
  r.slots[number].serial = 0;
  r.free.push_back(number);
}

void label_new_blocks(const char* op) {
  if (new_blocks.empty()) return;
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  for (const NewBlock& block : new_blocks) {
    Slot& slot = r.slots[block.number];
    if (slot.serial == block.serial) slot.op = op;
  }
  new_blocks.clear();
}

std::vector<LiveTensor> live_blocks() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  std::vector<LiveTensor> all;
  for (const Slot& slot : r.slots) {
    if (slot.live) all.push_back({slot.op ? slot.op : "empty", slot.shape, slot.dtype, slot.bytes});
  }
  return all;
}

}  // namespace athanor::detail

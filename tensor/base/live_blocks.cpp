#include "tensor/base/live_blocks.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace athanor::detail {

// Written by one thread at a time, read by any. `serial` is odd while the block lives and changes
// with each use of the note, so that a reader knows whether what it read belongs together; all
// other fields are stored after it was made even and before it is made odd.
struct BlockNote {
  std::atomic<std::uint64_t> serial{0};
  std::atomic<const char*> op{nullptr};  // null: not labelled
  std::atomic<std::int64_t> bytes{0};
  std::atomic<DType> dtype{DType::f32};
  std::atomic<int> rank{0};
  std::atomic<std::int64_t> sizes[kMaxRank]{};
  BlockNote* next_free = nullptr;
};

namespace {

constexpr std::size_t kNotesAChunk = 64;
constexpr std::size_t kMostFree = 8192;  // notes that a thread keeps

// All notes there are. They are never freed: readers may look at one at any time.
struct NoteRegistry {
  std::mutex mutex;
  std::vector<std::unique_ptr<BlockNote[]>> chunks;
  BlockNote* free = nullptr;
};

// Never destroyed: tensors of static storage duration may outlive any other object.
NoteRegistry& note_registry() {
  static NoteRegistry* instance = new NoteRegistry;
  return *instance;
}

struct FreeNotes {
  BlockNote* first;
  std::size_t count;
};
constinit thread_local FreeNotes free_notes = {};

// More blocks than one operation allocates: whoever made them launches no kernel.
constexpr int kMostNew = 64;
struct NewBlocks {
  int count;
  struct {
    BlockNote* note;
    std::uint64_t serial;
  } entries[kMostNew];
};
constinit thread_local NewBlocks new_blocks = {};

void give_back_notes() noexcept {
  NoteRegistry& r = note_registry();
  const std::lock_guard lock(r.mutex);
  while (BlockNote* note = free_notes.first) {
    free_notes.first = std::exchange(note->next_free, r.free);
    r.free = note;
  }
  free_notes.count = 0;
}

struct NotesAtThreadEnd {
  ~NotesAtThreadEnd() { give_back_notes(); }
};

void refill_notes() {
  thread_local NotesAtThreadEnd at_end;
  NoteRegistry& r = note_registry();
  const std::lock_guard lock(r.mutex);
  if (!r.free) {
    r.chunks.push_back(std::make_unique<BlockNote[]>(kNotesAChunk));
    for (std::size_t i = 0; i < kNotesAChunk; ++i) {
      BlockNote& note = r.chunks.back()[i];
      note.next_free = std::exchange(r.free, &note);
    }
  }
  for (std::size_t i = 0; i < kNotesAChunk && r.free; ++i) {
    BlockNote* note = r.free;
    r.free = std::exchange(note->next_free, free_notes.first);
    free_notes.first = note;
    ++free_notes.count;
  }
}

}  // namespace

BlockNote* note_block(std::int64_t bytes, const Shape& shape, DType dtype) {
  if (new_blocks.count == kMostNew) label_new_blocks("empty");
  if (!free_notes.first) refill_notes();
  BlockNote* note = free_notes.first;
  free_notes.first = note->next_free;
  --free_notes.count;
  constexpr auto release = std::memory_order_release;
  note->op.store(nullptr, release);
  note->bytes.store(bytes, release);
  note->dtype.store(dtype, release);
  note->rank.store(shape.size(), release);
  for (int i = 0; i < shape.size(); ++i) note->sizes[i].store(shape[i], release);
  const std::uint64_t serial = note->serial.load(std::memory_order_relaxed) + 1;
  note->serial.store(serial, release);
  new_blocks.entries[new_blocks.count++] = {note, serial};
  return note;
}

void forget_block(BlockNote* note) noexcept {
  note->serial.store(note->serial.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  note->next_free = free_notes.first;
  free_notes.first = note;
  if (++free_notes.count > kMostFree) give_back_notes();
}

void label_new_blocks(const char* op) noexcept {
  for (int i = 0; i < new_blocks.count; ++i) {
    const auto& entry = new_blocks.entries[i];
    // A note that serves another block by now keeps what that one has.
    if (entry.note->serial.load(std::memory_order_relaxed) == entry.serial) {
      entry.note->op.store(op, std::memory_order_release);
    }
  }
  new_blocks.count = 0;
}

namespace {

// False when the note is not in use, or changed while it was read.
bool read_note(const BlockNote& note, LiveTensor& block) {
  constexpr auto acquire = std::memory_order_acquire;
  const std::uint64_t serial = note.serial.load(acquire);
  if (serial % 2 == 0) return false;
  const char* op = note.op.load(acquire);
  block.bytes = note.bytes.load(acquire);
  block.dtype = note.dtype.load(acquire);
  const int rank = note.rank.load(acquire);
  block.shape = {};
  for (int i = 0; i < rank; ++i) block.shape.push_back(note.sizes[i].load(acquire));
  if (note.serial.load(acquire) != serial) return false;
  block.op = op ? op : "empty";
  return true;
}

}  // namespace

std::vector<LiveTensor> live_blocks() {
  NoteRegistry& r = note_registry();
  const std::lock_guard lock(r.mutex);
  std::vector<LiveTensor> all;
  LiveTensor block;
  for (const auto& chunk : r.chunks) {
    for (std::size_t i = 0; i < kNotesAChunk; ++i) {
      if (read_note(chunk[i], block)) all.push_back(block);
    }
  }
  return all;
}

}  // namespace athanor::detail

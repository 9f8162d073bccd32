#include "tensor/base/live_blocks.h"

#include <atomic>
#include <mutex>
#include <utility>

namespace athanor::detail {
namespace {

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
  std::uint32_t number = 0;
  BlockNote* next_free = nullptr;
};

constexpr std::uint32_t kNotesAChunk = 1024;
constexpr std::uint32_t kMostChunks = 1 << 16;
constexpr std::uint32_t kNotesARefill = 64;
constexpr std::size_t kMostFree = 8192;  // notes that a thread keeps

// All notes there are. They are never freed: readers may look at one at any time.
struct NoteRegistry {
  std::mutex mutex;
  std::uint32_t chunk_count = 0;
  BlockNote* free = nullptr;
};
// Note n is number n % kNotesAChunk of chunk n / kNotesAChunk.
std::atomic<BlockNote*> chunks[kMostChunks];

BlockNote& note_of(std::uint32_t number) {
  return chunks[number / kNotesAChunk].load(std::memory_order_acquire)[number % kNotesAChunk];
}

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

// With the lock held: a chunk of notes more.
void add_chunk(NoteRegistry& r) {
  if (r.chunk_count == kMostChunks) {
    raise(ErrorKind::out_of_resources, "[allocate] expected fewer than ",
          std::int64_t{kMostChunks} * kNotesAChunk, " live tensors");
  }
  BlockNote* chunk = new BlockNote[kNotesAChunk];
  for (std::uint32_t i = kNotesAChunk; i-- > 0;) {
    chunk[i].number = r.chunk_count * kNotesAChunk + i;
    chunk[i].next_free = std::exchange(r.free, &chunk[i]);
  }
  chunks[r.chunk_count++].store(chunk, std::memory_order_release);
}

void refill_notes() {
  thread_local NotesAtThreadEnd at_end;
  NoteRegistry& r = note_registry();
  const std::lock_guard lock(r.mutex);
  if (!r.free) add_chunk(r);
  for (std::uint32_t i = 0; i < kNotesARefill && r.free; ++i) {
    BlockNote* note = r.free;
    r.free = std::exchange(note->next_free, free_notes.first);
    free_notes.first = note;
    ++free_notes.count;
  }
}

}  // namespace

std::uint32_t note_block(std::int64_t bytes, const Shape& shape, DType dtype) {
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
  return note->number;
}

void forget_block(std::uint32_t number) noexcept {
  BlockNote* note = &note_of(number);
  note->serial.store(note->serial.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  note->next_free = free_notes.first;
  free_notes.first = note;
  if (++free_notes.count > kMostFree) give_back_notes();
}

void label_new_blocks(const char* op) {
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
  for (std::uint32_t n = 0; n < r.chunk_count * kNotesAChunk; ++n) {
    if (read_note(note_of(n), block)) all.push_back(block);
  }
  return all;
}

}  // namespace athanor::detail

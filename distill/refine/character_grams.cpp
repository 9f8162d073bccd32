#include "distill/refine/character_grams.h"

#include "data/text/unicode.h"
#include "tensor/base/avx2_clones.h"

namespace athanor::distill {

void GramCounts::read(std::string_view text, std::vector<std::uint32_t>& run) {
  const std::size_t begin = run.size();
  run.resize(begin + text.size() + 1);
  std::uint32_t* to = run.data() + begin;
  along(
      text, [&](History h, std::uint32_t c) __attribute__((always_inline)) {
        const std::uint32_t place = gram_place(kOrder, h, c);
        place_.take(place);
        *to++ = place;
      });
  run.resize(static_cast<std::size_t>(to - run.data()));
}

void GramCounts::read_all() {
  places_ = place_.count();
  key_.assign(places_, kNone);
  count_.resize(places_);
  order_.resize(places_);
}

void GramCounts::add(std::string_view text, std::uint32_t* run) {
  return data::is_ascii(text) ? add_ascii(*this, text, run) : add_wide(*this, text, run);
}

// Functions with clones, which count bits by an instruction.
ATHANOR_AVX2_CLONES
void GramCounts::add_wide(GramCounts& grams, std::string_view text, std::uint32_t* run) {
  along(
      text, [&](History h, std::uint32_t c) __attribute__((always_inline)) {
        const std::uint32_t place = grams.place_[*run], first = grams.key_[place];
        const std::uint32_t key = key_of(h, c);
        if (key >= kHashed || (first != key && first != kNone)) {
          *run++ = grams.add_other(key, {h, c});
          return;
        }
        if (first == kNone) grams.order_[grams.size_++] = place;
        grams.key_[place] = key;
        ++grams.count_[place];
        *run++ = place;
      });
}

ATHANOR_AVX2_CLONES
void GramCounts::add_ascii(GramCounts& grams, std::string_view text, std::uint32_t* run) {
  std::uint32_t h = 0, *keys = grams.key_.data(), *counts = grams.count_.data();
  std::uint32_t* order = grams.order_.data();
  std::size_t size = grams.size_;
  const auto add = [&](std::uint32_t c, std::uint32_t & number) __attribute__((always_inline)) {
    const std::uint32_t key = h << 8 | c, place = grams.place_[number];
    h = (h << 7 | c) & kHistoryOfKey;
    const std::uint32_t first = keys[place];
    // Without a branch for what is new, a fifth of them in no order.
    const std::uint32_t is_new = first == kNone;
    if (((first ^ key) & (is_new - 1)) != 0) {
      grams.size_ = size;
      number = grams.add_other(key, {});
      size = grams.size_;
      keys = grams.key_.data();
      counts = grams.count_.data();
      order = grams.order_.data();
      return;
    }
    order[size] = place;
    size += is_new;
    keys[place] = key;
    ++counts[place];
    number = place;
  };
  for (const char c : text) add(static_cast<unsigned char>(c), *run++);
  add(kEndOfKey, *run);
  grams.size_ = size;
}

void GramCounts::finish() {
  std::vector<Slot>().swap(slot_);
  order_.resize(size_);
}

std::uint32_t GramCounts::key_of(History h, std::uint32_t c) {
  constexpr History kAscii = 0x7f | History{0x7f} << kCharBits | History{0x7f} << (2 * kCharBits);
  if ((h & ~kAscii) == 0 && (c < 0x80 || c == kEnd)) {
    const History packed = (h & 0x7f) | (h >> 14 & 0x3f80) | (h >> 28 & 0x1fc000);
    return static_cast<std::uint32_t>(packed << 8 | (c == kEnd ? kEndOfKey : c));
  }
  const std::uint64_t x = (h + c * 0xd6e8feb86659fd93u) * 0x9e3779b97f4a7c15u;
  return static_cast<std::uint32_t>(x >> 32) | kHashed;
}

// Of n-grams whose places have another first one, and of those that are not ASCII.
std::uint32_t GramCounts::add_other(std::uint32_t key, const Gram& gram) {
  for (std::size_t at = slot_of(key);; at = (at + 1) & (slot_.size() - 1)) {
    const Slot slot = slot_[at];
    if (slot.number == kNone) return insert(at, key, gram);
    if (slot.key != key || (key >= kHashed && (*this)[slot.number] != gram)) continue;
    ++count_[slot.number];
    return slot.number;
  }
}

std::uint32_t GramCounts::insert(std::size_t at, std::uint32_t key, const Gram& gram) {
  const auto number = static_cast<std::uint32_t>(key_.size());
  slot_[at] = {key, number};
  if (key < kHashed) {
    key_.push_back(key);
  } else {
    key_.push_back(kHashed + static_cast<std::uint32_t>(wide_.size()));
    wide_.push_back(gram);
  }
  count_.push_back(1);
  order_.push_back(0);  // one more than there are numbers in use, which add() writes to
  order_[size_++] = number;
  if ((key_.size() - places_) * 2 > slot_.size()) grow();
  return number;
}

void GramCounts::grow() {
  std::vector<Slot> before(slot_.size() * 4);
  before.swap(slot_);
  shift_ -= 2;
  for (const Slot& slot : before) {
    if (slot.number == kNone) continue;
    std::size_t at = slot_of(slot.key);
    while (slot_[at].number != kNone) at = (at + 1) & (slot_.size() - 1);
    slot_[at] = slot;
  }
}

}  // namespace athanor::distill

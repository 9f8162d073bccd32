// What the character model learns from: how often each n-gram of characters occurs.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "data/text/unicode.h"
#include "distill/refine/text_units.h"

namespace athanor::distill {

constexpr int kOrder = 3;      // characters of context
constexpr int kCharBits = 21;  // of a code point
constexpr std::uint32_t kEnd = 0x110000;

// The kOrder characters before the one that is read, the latest in the low bits; before a text
// stand zeros, which no text holds.
using History = std::uint64_t;

inline History next_history(History h, std::uint32_t c) {
  constexpr History kKept = (History{1} << (kOrder * kCharBits)) - 1;
  return (h << kCharBits | c) & kKept;
}

// Calls fn(history, character) for the characters of a text and for its end.
template <class Fn>
[[gnu::always_inline]] inline void along(std::string_view text, Fn&& fn) {
  History h = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    std::uint32_t c = byte;
    if (byte < 0x80) {
      ++at;
    } else {
      c = static_cast<std::uint32_t>(next_character(text, at));
    }
    fn(h, c);
    h = next_history(h, c);
  }
  fn(h, kEnd);
}

// Numbers from 1 on for the places that are taken, in their order; few of many places, so that
// their numbers would take much more memory than a bit for each.
class PlaceNumbers {
 public:
  explicit PlaceNumbers(int bits) : word_(std::size_t{1} << (bits - 6)) {}

  void take(std::uint32_t place) { word_[place >> 6].taken |= std::uint64_t{1} << (place & 63); }
  // After the last take(). Returns how many there are, with number 0.
  std::uint32_t count() {
    std::uint32_t next = 1;
    for (Word& word : word_) {
      word.first = next;
      next += static_cast<std::uint32_t>(std::popcount(word.taken));
    }
    return next;
  }
  // After count(); 0 = not taken.
  [[gnu::always_inline]] std::uint32_t operator[](std::uint32_t place) const {
    const Word& word = word_[place >> 6];
    const std::uint64_t bit = std::uint64_t{1} << (place & 63);
    if ((word.taken & bit) == 0) return 0;
    return word.first + static_cast<std::uint32_t>(std::popcount(word.taken & (bit - 1)));
  }

 private:
  struct Word {
    std::uint64_t taken = 0;
    std::uint32_t first = 0;  // number of the first of its places
  };
  std::vector<Word> word_;
};

// Places of n-grams among those of their order, by number of characters of context.
constexpr int kPlaceBits[kOrder + 1] = {12, 16, 18, 18};
// Of the n-gram of `order` characters of context and one more.
inline std::uint32_t gram_place(int order, History h, std::uint32_t c) {
  const History context = h & ((History{1} << (order * kCharBits)) - 1);
  std::uint64_t x = context * 0x9e3779b97f4a7c15u + (std::uint64_t{c} + 1) * 0xd6e8feb86659fd93u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return static_cast<std::uint32_t>(x >> (64 - kPlaceBits[order]));
}

// How often each character follows each history, exactly. Texts are read twice: what places their
// n-grams take gives most n-grams a number, that of their place, without a search.
class GramCounts {
 public:
  struct Gram {
    History history = 0;
    std::uint32_t character = 0;
    bool operator==(const Gram&) const = default;
  };

  // First reading of a text: the places of its n-grams follow in `run`.
  void read(std::string_view text, std::vector<std::uint32_t>& run);
  // Between the two.
  void read_all();
  // Second reading, in the same order: numbers instead of the places from `run` on.
  void add(std::string_view text, std::uint32_t* run);
  // After the last add(), of which it gives back what only that needs.
  void finish();

  const std::vector<std::uint32_t>& in_order() const { return order_; }  // of first occurrence
  std::size_t numbers() const { return key_.size(); }  // of which some are in no use
  bool is_used(std::size_t number) const { return key_[number] != kNone; }
  Gram operator[](std::size_t number) const {
    if (number >= places_ && key_[number] >= kHashed) return wide_[key_[number] - kHashed];
    const History packed = key_[number] >> 8;
    const std::uint32_t c = key_[number] & 0xff;
    return {(packed & 0x7f) | (packed & 0x3f80) << 14 | (packed & 0x1fc000) << 28,
            c == kEndOfKey ? kEnd : c};
  }
  std::uint32_t count(std::size_t number) const { return count_[number]; }
  const PlaceNumbers& places() const { return place_; }  // of the longest n-grams

 private:
  // An n-gram of ASCII and ends is its own key, 7 bits a character of history and 8 of its own;
  // others have a hash from kHashed on.
  static constexpr std::uint32_t kNone = ~0u, kHashed = 1u << 31;
  static constexpr std::uint32_t kHistoryOfKey = (1u << 21) - 1, kEndOfKey = 0x80;
  struct Slot {
    std::uint32_t key = 0, number = kNone;
  };

  static std::uint32_t key_of(History h, std::uint32_t c);
  static void add_ascii(GramCounts& grams, std::string_view text, std::uint32_t* run);
  static void add_wide(GramCounts& grams, std::string_view text, std::uint32_t* run);
  std::uint32_t add_other(std::uint32_t key, const Gram& gram);
  std::uint32_t insert(std::size_t at, std::uint32_t key, const Gram& gram);
  std::size_t slot_of(std::uint32_t key) const {
    return (key * std::uint64_t{0x9e3779b97f4a7c15u}) >> shift_;
  }
  void grow();

  PlaceNumbers place_ = PlaceNumbers(kPlaceBits[kOrder]);
  std::uint32_t places_ = 0;          // numbers below are those of places
  std::vector<std::uint32_t> key_;    // by number; of hashed ones, kHashed + where in wide_
  std::vector<std::uint32_t> count_;  // by number
  std::vector<std::uint32_t> order_;  // numbers; one more than are in use
  std::size_t size_ = 0;              // of order_ in use
  std::vector<Gram> wide_;
  int shift_ = 54;  // a key's slot stands in the 64 - shift_ highest bits of its hash
  std::vector<Slot> slot_ = std::vector<Slot>(std::size_t{1} << (64 - shift_));
};

}  // namespace athanor::distill

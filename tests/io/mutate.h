// Deterministic mutation tests of parsers: whatever the bytes, a parser throws athanor::Error of
// kind bad_input or succeeds. Sanitizer builds turn anything else into a failure too.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/base/error.h"
#include "tensor/random.h"
#include "tests/io/scratch.h"

namespace athanor::test {

struct MutationCounts {
  int accepted = 0;
  int refused = 0;
};

template <class Parse>
void try_mutant(std::string_view bytes, Parse&& parse, MutationCounts& counts) {
  // A copy of exact size on the heap: reading one byte beyond it is an error under ASan.
  const std::vector<char> exact(bytes.begin(), bytes.end());
  try {
    parse(std::as_bytes(std::span<const char>(exact)));
    ++counts.accepted;
  } catch (const Error& error) {
    INFO(error.what());
    REQUIRE(error.kind() == ErrorKind::bad_input);
    ++counts.refused;
  }
}

// Every proper prefix.
template <class Parse>
MutationCounts every_truncation(std::string_view valid, Parse&& parse) {
  MutationCounts counts;
  for (std::size_t length = 0; length < valid.size(); ++length) {
    try_mutant(valid.substr(0, length), parse, counts);
  }
  return counts;
}

// `rounds` copies with 1 to 4 random bytes set to random or to telling values, and some with a
// piece removed or doubled.
template <class Parse>
MutationCounts random_mutations(std::string_view valid, int rounds, Parse&& parse) {
  constexpr unsigned char kTelling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '}', '[', ',', '9'};
  Generator random(20240607);
  MutationCounts counts;
  const auto size = static_cast<std::int64_t>(valid.size());
  for (int round = 0; round < rounds; ++round) {
    std::string mutant(valid);
    for (std::int64_t flips = 1 + random.next_below(4); flips > 0; --flips) {
      const auto at = static_cast<std::size_t>(random.next_below(size));
      const bool telling = random.next_below(2) == 0;
      mutant[at] = telling ? static_cast<char>(kTelling[random.next_below(sizeof(kTelling))])
                           : static_cast<char>(random.next_below(256));
    }
    const auto kind = random.next_below(8);
    const auto from = static_cast<std::size_t>(random.next_below(size));
    const auto length = static_cast<std::size_t>(1 + random.next_below(8));
    if (kind == 0) mutant.erase(from, length);
    if (kind == 1) mutant.insert(from, mutant.substr(from, length));
    try_mutant(mutant, parse, counts);
  }
  return counts;
}

}  // namespace athanor::test

// What a defect does to one text (UTF-8).
#pragma once

#include <string>
#include <string_view>

#include "tensor/random.h"

namespace athanor::distill {

// The first 20% to 50% of the characters, at least one.
std::string truncated(std::string_view text, Generator& random);
// 30% of the characters replaced by random printable ASCII.
std::string with_noise(std::string_view text, Generator& random);
// By `turn`: the characters backwards, a line of a log, words of random letters; of like length.
std::string foreign_text(std::string_view text, int turn, Generator& random);
// By `turn`: upper case and a mark at the end, one wrong letter, one word twice.
std::string slightly_changed(std::string_view text, int turn, Generator& random);

}  // namespace athanor::distill

// The texts that commands work on: a text file, or a column of a table.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace athanor::cli {

struct TextInput {
  std::string path;    // .csv .tsv .jsonl (also .gz): a table; anything else one text a line
  std::string column;  // of a table; "" = its only column, or "text"
};

void add_text_input(CLI::App& command, TextInput& input);

// Calls take(texts) with consecutive blocks of at most `block` texts, in order. Errors name the
// line: text that is no UTF-8, a malformed record, a column that is not there.
void for_each_text_block(const TextInput& input, std::size_t block,
                         const std::function<void(const std::vector<std::string>&)>& take);

}  // namespace athanor::cli

// What the comparisons of tests/interop with Hugging Face's tokenizers run:
//   tokenizer_tool ids TOKENIZER FILE     one line of ids a line of FILE, no truncation
//   tokenizer_tool characters TOKENIZER   ids of "a" + each code point + "b", one line each
//   tokenizer_tool time TOKENIZER FILE THREADS REPEATS   JSON with milliseconds of a batch call
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "data/text/tokenizer.h"
#include "tensor/base/parallel.h"

namespace {

using athanor::data::EncodeOptions;
using athanor::data::Tokenizer;
using athanor::data::TokenRows;

std::vector<std::string> lines_of(const char* path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void print(const TokenRows& rows) {
  std::string out;
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    for (const std::int32_t id : rows.row(i)) out += std::to_string(id) + " ";
    out += '\n';
  }
  std::fputs(out.c_str(), stdout);
}

std::vector<std::string> code_points() {
  std::vector<std::string> texts;
  for (std::int32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";
    athanor::data::append_utf8(text, c);
    texts.push_back(text + "b");
  }
  return texts;
}

void time_batch(const Tokenizer& tokenizer, const std::vector<std::string>& texts, int repeats) {
  std::vector<double> times;
  std::size_t ids = 0;
  for (int i = 0; i < repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    ids = tokenizer.encode_batch(texts, {true, 0}).ids.size();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  std::printf("{\"texts\": %zu, \"ids\": %zu, \"median_ms\": %.2f, \"min_ms\": %.2f}\n",
              texts.size(), ids, times[times.size() / 2], times[0]);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  const std::string command = argv[1];
  const Tokenizer tokenizer = Tokenizer::load(argv[2]);
  const EncodeOptions whole{true, 0};
  if (command == "characters") {
    print(tokenizer.encode_batch(code_points(), whole));
  } else if (command == "ids" && argc == 4) {
    print(tokenizer.encode_batch(lines_of(argv[3]), whole));
  } else if (command == "time" && argc == 6) {
    athanor::set_num_threads(std::atoi(argv[4]));
    time_batch(tokenizer, lines_of(argv[3]), std::atoi(argv[5]));
  } else {
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

// Texts of a file, one a line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace athanor::data {

// Lines end at \n or \r\n; the last one needs no end. A byte order mark is skipped; gzip is
// recognised. Throws bad_input naming the file, and the line for one that is no UTF-8 or longer
// than max_bytes. Memory: one line.
class TextLines {
 public:
  explicit TextLines(const std::filesystem::path& path,
                     std::size_t max_bytes = std::size_t{16} << 20);
  ~TextLines();
  TextLines(TextLines&&) noexcept;

  // The next line without its end, or false at the end of the file.
  bool next(std::string& line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace athanor::data

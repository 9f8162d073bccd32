#include "data/text/text_lines.h"

#include <vector>

#include "data/byte_stream.h"
#include "data/text/unicode.h"
#include "tensor/base/error.h"

namespace athanor::data {

struct TextLines::State {
  State(const std::filesystem::path& path, std::size_t limit)
      : stream(path), name(path.string()), max_bytes(limit), buffer(std::size_t{1} << 16) {}

  bool fill() {
    begin = 0;
    end = stream.read(buffer.data(), buffer.size());
    return end > 0;
  }

  ByteStream stream;
  std::string name;
  std::size_t max_bytes;
  std::vector<char> buffer;
  std::size_t begin = 0, end = 0;
  std::int64_t line = 0;
};

TextLines::TextLines(const std::filesystem::path& path, std::size_t max_bytes)
    : state_(std::make_unique<State>(path, max_bytes)) {}
TextLines::~TextLines() = default;
TextLines::TextLines(TextLines&&) noexcept = default;

bool TextLines::next(std::string& line) {
  State& s = *state_;
  line.clear();
  bool any = false, ended = false;
  while (!ended && (s.begin < s.end || s.fill())) {
    any = true;
    const std::string_view rest(s.buffer.data() + s.begin, s.end - s.begin);
    const std::size_t found = rest.find('\n');
    ended = found != std::string_view::npos;
    const std::size_t length = ended ? found : rest.size();
    if (line.size() + length > s.max_bytes) {
      raise(ErrorKind::bad_input, s.name, ": line ", s.line + 1, ": expected at most ", s.max_bytes,
            " bytes, found more");
    }
    line.append(rest.substr(0, length));
    s.begin += length + ended;
  }
  if (!any) return false;
  if (line.ends_with('\r')) line.pop_back();
  if (++s.line == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  if (const std::size_t bad = first_invalid_utf8(line); bad != std::string::npos) {
    raise(ErrorKind::bad_input, s.name, ": line ", s.line, ": expected UTF-8, found byte ",
          static_cast<int>(static_cast<unsigned char>(line[bad])), " at column ", bad + 1);
  }
  return true;
}

}  // namespace athanor::data

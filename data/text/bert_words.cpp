#include "data/text/bert_words.h"

#include <utf8proc.h>

#include <algorithm>

namespace athanor::data {
namespace {

int combining_class(std::int32_t c) { return utf8proc_get_property(c)->combining_class; }

bool is_dropped(std::int32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == 0 || c == 0xfffd || is_control(c);
}

}  // namespace

BertWords::BertWords(const BertOptions& options) : options_(options) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto i = static_cast<std::size_t>(byte);
    lower_[i] = static_cast<char>(byte);
    if (options.lowercase && byte >= 'A' && byte <= 'Z') lower_[i] = static_cast<char>(byte + 32);
    ascii_[i] = byte >= 0x80                             ? Kind::other
                : options.clean_text && is_dropped(byte) ? Kind::drop
                : is_white_space(byte)                   ? Kind::space
                : is_bert_punctuation(byte)              ? Kind::punctuation
                                                         : Kind::word;
  }
}

void BertWords::refuse(unsigned char byte, std::size_t at) {
  raise(ErrorKind::bad_input, "text: byte ", at, ": expected UTF-8, found byte ",
        static_cast<int>(byte));
}

void BertWords::normalise(std::int32_t c, Scratch& scratch) const {
  std::vector<std::int32_t>& out = scratch.characters;
  out.clear();
  if (options_.clean_text) {
    if (is_dropped(c)) return;
    if (is_white_space(c)) c = kBlank;
  }
  const bool chinese = options_.handle_chinese_chars && is_chinese(c);
  if (options_.strip_accents) {
    // NFD orders marks between two starters by class; those that are not dropped wait in `marks`
    // until the next starter, so that the order is the one of the whole text.
    if (combining_class(c) != 0) {
      if (!is_nonspacing_mark(c)) scratch.marks.push_back(c);
      return;
    }
    order_marks(scratch.marks);
    out.swap(scratch.marks);
    scratch.marks.clear();
    if (chinese) out.push_back(kBlank);
    append_decomposed(out, c);
    out.erase(std::remove_if(out.begin(), out.end(), is_nonspacing_mark), out.end());
    // A mark that ends c's own decomposition and is kept would have to wait too; there is none.
  } else {
    if (chinese) out.push_back(kBlank);
    out.push_back(c);
  }
  if (chinese) out.push_back(kBlank);
  if (!options_.lowercase) return;
  const std::size_t count = out.size();
  for (std::size_t i = 0; i < count; ++i) append_lower(out, out[i]);
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
}

void BertWords::flush_marks(Scratch& scratch, std::string& word) {
  order_marks(scratch.marks);
  for (const std::int32_t mark : scratch.marks) append_utf8(word, mark);
  scratch.marks.clear();
}

std::string BertWords::normalised(std::string_view text) const {
  Scratch scratch;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      if (!scratch.marks.empty()) flush_marks(scratch, out);
      ++at;
      if (ascii_[byte] == Kind::drop) continue;
      const bool blank = options_.clean_text && ascii_[byte] == Kind::space;
      out += blank ? ' ' : lower_[byte];
      continue;
    }
    const std::int32_t c = decode_utf8(text, at);
    if (c < 0) refuse(byte, at);
    normalise(c, scratch);
    for (const std::int32_t piece : scratch.characters) append_utf8(out, piece);
  }
  if (!scratch.marks.empty()) flush_marks(scratch, out);
  return out;
}

}  // namespace athanor::data

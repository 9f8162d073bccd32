// BERT's normalisation and cutting into words, in one pass over the text.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/unicode.h"
#include "tensor/base/error.h"

namespace athanor::data {

// As in the `normalizer` of a tokenizer.json of type BertNormalizer.
struct BertOptions {
  bool clean_text = true;            // drop control characters, U+0000, U+FFFD
  bool handle_chinese_chars = true;  // each Chinese character is a word
  bool strip_accents = true;         // NFD without nonspacing marks
  bool lowercase = true;
};

// Words end at white space; every punctuation character is a word of its own. Equal to
// BertNormalizer followed by BertPreTokenizer of Hugging Face's tokenizers, which walk over the
// text once a step. Const and safe to share; each thread brings its own Scratch.
class BertWords {
 public:
  struct Scratch {
    std::string word;
    std::vector<std::int32_t> characters, marks;
  };

  explicit BertWords(const BertOptions& options);
  const BertOptions& options() const { return options_; }

  // Calls emit(word) with a view that lives until emit returns. Throws bad_input naming the byte
  // where `text` is no UTF-8.
  template <class F>
  void for_each(std::string_view text, Scratch& scratch, F&& emit) const {
    std::string& word = scratch.word;
    word.clear();
    scratch.marks.clear();
    const auto close = [&] {
      if (word.empty()) return;
      emit(std::string_view(word));
      word.clear();
    };
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const Kind kind = ascii_[byte];
      if (kind == Kind::other) {
        const std::int32_t c = decode_utf8(text, at);
        if (c < 0) refuse(byte, at);
        normalise(c, scratch);
        for (const std::int32_t piece : scratch.characters) add(piece, word, close);
        continue;
      }
      if (!scratch.marks.empty()) flush_marks(scratch, word);
      if (kind == Kind::word) {
        std::size_t end = at + 1;
        while (end < text.size() && ascii_[static_cast<unsigned char>(text[end])] == Kind::word) {
          ++end;
        }
        const std::size_t old = word.size();
        word.resize(old + end - at);
        for (std::size_t i = old; at < end; ++i, ++at) {
          word[i] = lower_[static_cast<unsigned char>(text[at])];
        }
        continue;
      }
      ++at;
      if (kind == Kind::drop) continue;
      close();
      if (kind == Kind::punctuation) {
        const char symbol = static_cast<char>(byte);
        emit(std::string_view(&symbol, 1));
      }
    }
    if (!scratch.marks.empty()) flush_marks(scratch, word);
    close();
  }

  // The normalised text alone.
  std::string normalised(std::string_view text) const;

 private:
  enum class Kind : std::uint8_t { word, space, punctuation, drop, other };
  static constexpr std::int32_t kBlank = ' ';

  [[noreturn]] static void refuse(unsigned char byte, std::size_t at);
  // scratch.characters becomes what c adds to the normalised text.
  void normalise(std::int32_t c, Scratch& scratch) const;
  static void flush_marks(Scratch& scratch, std::string& word);

  template <class Close>
  static void add(std::int32_t c, std::string& word, Close& close) {
    if (is_white_space(c)) {
      close();
    } else if (is_bert_punctuation(c)) {
      close();
      append_utf8(word, c);
      close();
    } else {
      append_utf8(word, c);
    }
  }

  BertOptions options_;
  std::array<Kind, 256> ascii_;
  std::array<char, 256> lower_;
};

}  // namespace athanor::data

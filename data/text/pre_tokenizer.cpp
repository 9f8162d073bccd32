#include "data/text/pre_tokenizer.h"

#include "data/text/byte_pattern.h"
#include "data/text/unicode.h"

namespace athanor::data {
namespace {

using Span = std::pair<std::size_t, std::size_t>;
using Spans = std::vector<Span>;

// Cuts `span` at the characters for which is_delimiter(c) holds.
template <class F>
void split_characters(std::string_view text, Span span, Delimiter behavior, Spans& out,
                      F&& is_delimiter) {
  std::size_t begin = span.first;
  bool in_run = false;  // of delimiters, for `contiguous`
  const auto close = [&](std::size_t end) {
    if (begin < end) out.emplace_back(begin, end);
    begin = end;
  };
  const std::string_view piece = text.substr(0, span.second);
  for (std::size_t at = span.first; at < span.second;) {
    const std::size_t start = at;
    const bool delimiter = is_delimiter(decode_utf8(piece, at));
    switch (behavior) {
      case Delimiter::removed:
        if (delimiter) {
          close(start);
          begin = at;
        }
        break;
      case Delimiter::isolated:
        if (delimiter) {
          close(start);
          close(at);
        }
        break;
      case Delimiter::contiguous:
        if (delimiter != in_run) close(start);
        break;
      case Delimiter::merged_with_previous:
        if (delimiter) close(at);
        break;
      case Delimiter::merged_with_next:
        if (delimiter) close(start);
        break;
    }
    in_run = delimiter;
  }
  close(span.second);
}

void split_literal(std::string_view text, Span span, const LiteralSplitStep& step, Spans& out) {
  std::size_t begin = span.first;
  const auto close = [&](std::size_t end) {
    if (begin < end) out.emplace_back(begin, end);
    begin = end;
  };
  const std::string_view piece = text.substr(0, span.second);
  if (step.pattern.empty()) {
    for (std::size_t at = span.first; at < span.second; close(at)) decode_utf8(piece, at);
    return;
  }
  std::size_t run_end = std::string_view::npos;  // of the last delimiter, for `contiguous`
  for (std::size_t at = span.first;;) {
    const std::size_t found = piece.find(step.pattern, at);
    if (found == std::string_view::npos) break;
    const std::size_t end = found + step.pattern.size();
    switch (step.behavior) {
      case Delimiter::removed:
        close(found);
        begin = end;
        break;
      case Delimiter::isolated:
        close(found);
        close(end);
        break;
      case Delimiter::contiguous:
        if (found == run_end) {  // joins the delimiter before it, which was closed
          out.back().second = end;
          begin = end;
        } else {
          close(found);
          close(end);
        }
        run_end = end;
        break;
      case Delimiter::merged_with_previous:
        close(end);
        break;
      case Delimiter::merged_with_next:
        close(found);
        break;
    }
    at = end;
  }
  close(span.second);
}

void split_matches(std::string_view text, Span span, BytePattern pattern, Spans& out) {
  const std::string_view piece = text.substr(0, span.second);
  for (std::size_t at = span.first; at < span.second;) {
    const std::size_t end = match_byte_pattern(piece, at, pattern);
    out.emplace_back(at, end);
    at = end;
  }
}

void add_prefix_spaces(TextPieces& pieces) {
  TextPieces result;
  for (std::size_t i = 0; i < pieces.spans.size(); ++i) {
    const std::size_t begin = result.text.size();
    if (pieces[i].front() != ' ') result.text += ' ';
    result.text += pieces[i];
    result.spans.emplace_back(begin, result.text.size());
  }
  pieces = std::move(result);
}

struct Cutter {
  TextPieces& pieces;

  template <class F>
  void each(F&& split) {
    Spans out;
    out.reserve(pieces.spans.size());
    for (const Span& span : pieces.spans) split(span, out);
    pieces.spans = std::move(out);
  }
  template <class F>
  void cut(Delimiter behavior, F&& is_delimiter) {
    each([&](Span span, Spans& out) {
      split_characters(pieces.text, span, behavior, out, is_delimiter);
    });
  }

  void operator()(BertStep) {
    cut(Delimiter::removed, is_white_space);
    cut(Delimiter::isolated, is_bert_punctuation);
  }
  void operator()(WhitespaceStep) {
    cut(Delimiter::removed, is_white_space);
    cut(Delimiter::contiguous, is_word);
  }
  void operator()(WhitespaceSplitStep) { cut(Delimiter::removed, is_white_space); }
  void operator()(const PunctuationStep& step) { cut(step.behavior, is_bert_punctuation); }
  void operator()(const DigitsStep& step) {
    cut(step.individual ? Delimiter::isolated : Delimiter::contiguous, is_number);
  }
  void operator()(const ByteLevelStep& step) {
    if (step.add_prefix_space) add_prefix_spaces(pieces);
    if (step.use_regex) (*this)(PatternSplitStep{BytePattern::gpt2});
  }
  void operator()(const LiteralSplitStep& step) {
    each([&](Span span, Spans& out) { split_literal(pieces.text, span, step, out); });
  }
  void operator()(const PatternSplitStep& step) {
    each([&](Span span, Spans& out) { split_matches(pieces.text, span, step.pattern, out); });
  }
};

}  // namespace

void pre_tokenize(TextPieces& pieces, const std::vector<PreTokenizerStep>& steps) {
  pieces.spans.clear();
  if (pieces.text.empty()) return;
  pieces.spans.emplace_back(0, pieces.text.size());
  for (const PreTokenizerStep& step : steps) std::visit(Cutter{pieces}, step);
}

}  // namespace athanor::data

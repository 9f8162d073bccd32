#include "data/text/text_normalizer.h"

namespace athanor::data {
namespace {

template <class F>
std::string map_characters(std::string_view text, F&& f) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) f(decode_utf8(text, at), out);
  return out;
}

struct ApplyStep {
  std::string_view text;

  std::string operator()(const BertOptions& options) const {
    return BertWords(options).normalised(text);
  }
  std::string operator()(NormalForm form) const { return normal_form(text, form); }
  std::string operator()(LowercaseStep) const {
    std::vector<std::int32_t> lower;
    return map_characters(text, [&](std::int32_t c, std::string& out) {
      lower.clear();
      append_lower(lower, c);
      for (const std::int32_t piece : lower) append_utf8(out, piece);
    });
  }
  std::string operator()(StripAccentsStep) const {
    return map_characters(text, [](std::int32_t c, std::string& out) {
      if (!is_nonspacing_mark(c)) append_utf8(out, c);
    });
  }
  std::string operator()(const StripStep& step) const {
    std::size_t begin = text.size(), end = 0;  // of what is not white space
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t start = at;
      if (is_white_space(decode_utf8(text, at))) continue;
      begin = std::min(begin, start);
      end = at;
    }
    if (begin > end) return {};
    if (!step.left) begin = 0;
    if (!step.right) end = text.size();
    return std::string(text.substr(begin, end - begin));
  }
  std::string operator()(const PrependStep& step) const {
    return text.empty() ? std::string() : step.text + std::string(text);
  }
  std::string operator()(const ReplaceStep& step) const {
    std::string out;
    std::size_t at = 0;
    for (;;) {
      const std::size_t found = text.find(step.from, at);
      if (found == std::string_view::npos) return out.append(text.substr(at));
      out.append(text.substr(at, found - at)).append(step.to);
      at = found + step.from.size();
    }
  }
};

}  // namespace

std::string normalised(std::string_view text, const std::vector<NormalizerStep>& steps) {
  require_utf8(text);
  std::string result(text);
  for (const NormalizerStep& step : steps) result = std::visit(ApplyStep{result}, step);
  return result;
}

}  // namespace athanor::data

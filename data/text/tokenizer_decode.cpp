// Ids to text, as the `decoder` of a tokenizer.json says.
#include <utility>

#include "data/text/tokenizer_impl.h"

namespace athanor::data {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// Undoes the blanks that cutting English at punctuation made.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

// Bytes that are no UTF-8 become U+FFFD.
std::string repaired(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::int32_t c = decode_utf8(bytes, at);
    append_utf8(out, c < 0 ? 0xfffd : c);
    at += c < 0;
  }
  return out;
}

}  // namespace

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  const TokenizerSpec& s = spec();
  std::string out, bytes;
  bool first = true;
  for (const std::int32_t id : ids) {
    const std::string& token = token_of(id);
    if (state_->special[static_cast<std::size_t>(id)]) continue;
    switch (s.decoder) {
      case Decoder::none:
        if (!first) out += ' ';
        out += token;
        break;
      case Decoder::fuse:
        out += token;
        break;
      case Decoder::byte_level:
        out += BytePair::bytes_of_token(token, bytes) ? bytes : token;
        break;
      case Decoder::word_piece: {
        std::string piece = token;
        if (!first) {
          if (token.starts_with(s.decoder_prefix)) {
            piece.erase(0, s.decoder_prefix.size());
          } else {
            piece.insert(0, 1, ' ');
          }
        }
        if (s.decoder_cleanup) clean_up(piece);
        out += piece;
        break;
      }
    }
    first = false;
  }
  return s.decoder == Decoder::byte_level ? repaired(out) : out;
}

}  // namespace athanor::data

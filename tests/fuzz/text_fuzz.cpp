#include "data/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace athanor::data;

std::vector<std::pair<std::string, std::int32_t>> letters(bool byte_alphabet) {
  std::vector<std::pair<std::string, std::int32_t>> tokens = {{"[UNK]", 0}};
  for (std::int32_t c = '!'; c <= '~'; ++c) {
    tokens.emplace_back(std::string(1, static_cast<char>(c)), c);
    if (!byte_alphabet) tokens.emplace_back("##" + std::string(1, static_cast<char>(c)), c + 200);
  }
  return tokens;
}

const Tokenizer& bert() {
  static const Tokenizer tokenizer = [] {
    TokenizerSpec spec;
    spec.vocabulary = letters(false);
    spec.normalizer = {BertOptions{}};
    spec.pre_tokenizer = {BertStep{}};
    spec.model = WordPieceOptions{};
    spec.single = {{}};
    return Tokenizer(spec);
  }();
  return tokenizer;
}

Tokenizer byte_level(BytePattern pattern) {
  TokenizerSpec spec;
  spec.vocabulary = letters(true);
  spec.vocabulary.emplace_back("ab", 300);
  spec.pre_tokenizer = {PatternSplitStep{pattern}, ByteLevelStep{false, false}};
  spec.model = BytePairModel{{true, "[UNK]", false, false, false}, {{"a", "b"}}};
  spec.single = {{}};
  return Tokenizer(spec);
}

}  // namespace

// Texts under fixed tokenisers; the fused BERT pass must cut as its two steps do.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tokenizer gpt2 = byte_level(BytePattern::gpt2);
  static const Tokenizer llama3 = byte_level(BytePattern::llama3);
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits&) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    bert().encode(text);
    gpt2.encode(text);
    llama3.encode(text);
    const BertWords words{BertOptions{}};
    BertWords::Scratch scratch;
    std::vector<std::string> fused, composed;
    words.for_each(text, scratch, [&](std::string_view word) { fused.emplace_back(word); });
    TextPieces pieces;
    pieces.text = words.normalised(text);
    pre_tokenize(pieces, {BertStep{}});
    for (std::size_t i = 0; i < pieces.spans.size(); ++i) composed.emplace_back(pieces[i]);
    if (fused != composed) std::abort();
  });
}

// Tokenisers: texts to the ids of a model's vocabulary, and back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "data/text/added_tokens.h"
#include "data/text/byte_pair.h"
#include "data/text/pre_tokenizer.h"
#include "data/text/text_normalizer.h"
#include "data/text/word_piece.h"
#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

struct WordLevelOptions {  // a piece is a token, or the unknown one
  std::string unknown = "[UNK]";
};
struct BytePairModel {
  BytePairOptions options;
  BytePair::Merges merges;
};

// Where the ids of a text (or of two) stand among special tokens.
struct TemplatePiece {
  enum class Kind { first, second, special } kind = Kind::first;
  std::vector<std::int32_t> ids;  // of a special token
  std::int32_t type = 0;
};

enum class TruncationStrategy { longest_first, only_first, only_second };
struct Truncation {
  std::size_t max_length = 512;  // with special tokens
  TruncationStrategy strategy = TruncationStrategy::longest_first;
  bool from_left = false;  // drops the beginning instead of the end
};

struct Padding {
  std::size_t fixed = 0;  // 0: the longest row of the batch
  std::size_t multiple = 0;
  bool left = false;
  std::int32_t id = 0, type = 0;
};

enum class Decoder { none, word_piece, byte_level, fuse };

// Everything that a tokenizer.json says.
struct TokenizerSpec {
  std::vector<std::pair<std::string, std::int32_t>> vocabulary;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::variant<WordPieceOptions, BytePairModel, WordLevelOptions> model;
  std::vector<TemplatePiece> single, pair;
  std::optional<Truncation> truncation;
  std::optional<Padding> padding;
  Decoder decoder = Decoder::none;
  std::string decoder_prefix = "##";  // of word_piece
  bool decoder_cleanup = true;
};

// Reads Hugging Face's tokenizer.json: BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase,
// StripAccents, Strip, Prepend, literal Replace; BertPreTokenizer, Whitespace, WhitespaceSplit,
// Punctuation, Digits, ByteLevel, Split by a literal or one of the known patterns; WordPiece, BPE,
// WordLevel; TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel; and sequences of
// them. Anything else is bad_input that names the field, as are wrong types, ids used twice or far
// beyond the vocabulary's size, and tokens that are named but missing.
TokenizerSpec parse_tokenizer_json(std::span<const std::byte> bytes, std::string_view file,
                                   const Limits& limits = {});
// BERT's vocab.txt: one token a line, ids from 0; WordPiece with `bert` as normaliser, and
// [CLS] A [SEP] B [SEP].
TokenizerSpec parse_vocab_txt(std::span<const std::byte> bytes, std::string_view file,
                              const BertOptions& bert = {}, const Limits& limits = {});
// One token for each different character of `text` (UTF-8), ids in the order of code points, and
// `unknown` (id 0) for all others.
TokenizerSpec character_tokenizer(std::string_view text, std::string_view unknown = "<unk>");
// The spec of a character tokeniser as tokenizer.json, which Hugging Face's library reads too.
std::string character_tokenizer_json(const TokenizerSpec& spec);

// Rows of different lengths one after another: row i is ids[offsets[i]] to ids[offsets[i + 1]].
struct TokenRows {
  std::vector<std::int32_t> ids, types;
  std::vector<std::int64_t> offsets = {0};

  std::int64_t size() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::int64_t length(std::int64_t row) const;
  std::span<const std::int32_t> row(std::int64_t row) const;
};

// A rectangle: i32 [rows, length] each; mask is 1 at tokens and 0 at padding.
struct PaddedTokens {
  Tensor ids, types, mask;
};

struct EncodeOptions {
  bool special_tokens = true;
  // Replaces the tokeniser's own truncation; 0: no truncation.
  std::optional<std::size_t> max_length;
};

// Const and safe to share between threads.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerSpec spec);
  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  // From a tokenizer.json, a vocab.txt, or a folder that holds one of them (in this order; with
  // vocab.txt, do_lower_case, tokenize_chinese_chars and strip_accents of a tokenizer_config.json
  // beside it count).
  static Tokenizer load(const std::filesystem::path& path, const Limits& limits = {});

  // Ids of a text, or of a pair. Throws bad_input naming the byte where a text is no UTF-8.
  std::vector<std::int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;
  TokenRows encode_pair(std::string_view first, std::string_view second,
                        const EncodeOptions& options = {}) const;
  // Many texts on several threads. Errors name the text's index.
  TokenRows encode_batch(std::span<const std::string> texts,
                         const EncodeOptions& options = {}) const;
  TokenRows encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                         const EncodeOptions& options = {}) const;
  // All rows in one rectangle by the tokeniser's padding (id 0 on the right, to the longest row,
  // where it names none).
  PaddedTokens pad(const TokenRows& rows) const;

  // Text of ids; special tokens are left out. Throws for an id that is none.
  std::string decode(std::span<const std::int32_t> ids) const;

  const TokenizerSpec& spec() const;
  // One more than the largest id.
  std::int64_t vocabulary_size() const;
  std::optional<std::int32_t> id_of(std::string_view token) const;
  const std::string& token_of(std::int32_t id) const;
  // Equal for tokenisers with equal tokens and ids.
  std::uint64_t vocabulary_hash() const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

// Throws usage unless both have the same tokens with the same ids. `teacher` and `student` name
// them, and the message says what to do.
void require_same_vocabulary(const Tokenizer& a, std::string_view teacher, const Tokenizer& b,
                             std::string_view student);

}  // namespace athanor::data

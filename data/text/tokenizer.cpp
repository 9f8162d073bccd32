#include "data/text/tokenizer.h"

#include <algorithm>

#include "data/text/tokenizer_impl.h"
#include "tensor/base/parallel.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace athanor::data {
namespace {

constexpr std::int64_t kTextsAChunk = 128;

void append_rows(TokenRows& all, const TokenRows& more) {
  const std::int64_t base = all.offsets.back();
  all.ids.insert(all.ids.end(), more.ids.begin(), more.ids.end());
  all.types.insert(all.types.end(), more.types.begin(), more.types.end());
  for (std::size_t i = 1; i < more.offsets.size(); ++i) {
    all.offsets.push_back(base + more.offsets[i]);
  }
}

// Calls encode(index, rows) for all texts, in chunks that threads share.
template <class F>
TokenRows encode_chunks(std::int64_t count, F&& encode) {
  const std::int64_t chunks = (count + kTextsAChunk - 1) / kTextsAChunk;
  std::vector<TokenRows> parts(static_cast<std::size_t>(chunks));
  parallel_for(count, kTextsAChunk, [&](std::int64_t begin, std::int64_t end) {
    TokenRows& rows = parts[static_cast<std::size_t>(begin / kTextsAChunk)];
    for (std::int64_t i = begin; i < end; ++i) {
      try {
        encode(i, rows);
      } catch (const Error& error) {
        throw Error(str("text ", i, ": ", error.what()), error.kind());
      }
    }
  });
  TokenRows all;
  std::size_t total = 0;
  for (const TokenRows& part : parts) total += part.ids.size();
  all.ids.reserve(total);
  all.types.reserve(total);
  all.offsets.reserve(static_cast<std::size_t>(count) + 1);
  for (const TokenRows& part : parts) append_rows(all, part);
  return all;
}

}  // namespace

std::int64_t TokenRows::length(std::int64_t row) const {
  const auto i = static_cast<std::size_t>(row);
  return offsets[i + 1] - offsets[i];
}

std::span<const std::int32_t> TokenRows::row(std::int64_t row) const {
  const auto begin = static_cast<std::size_t>(offsets[static_cast<std::size_t>(row)]);
  return std::span(ids).subspan(begin, static_cast<std::size_t>(length(row)));
}

Tokenizer::Tokenizer(TokenizerSpec spec) : state_(std::make_unique<State>(std::move(spec))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

const TokenizerSpec& Tokenizer::spec() const { return state_->spec; }

std::vector<std::int32_t> Tokenizer::encode(std::string_view text,
                                            const EncodeOptions& options) const {
  State::Scratch scratch;
  TokenRows rows;
  state_->append_ids(text, scratch, scratch.first);
  state_->append_row(false, options, scratch, rows);
  return std::move(rows.ids);
}

TokenRows Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                 const EncodeOptions& options) const {
  State::Scratch scratch;
  TokenRows rows;
  state_->append_ids(first, scratch, scratch.first);
  state_->append_ids(second, scratch, scratch.second);
  state_->append_row(true, options, scratch, rows);
  return rows;
}

TokenRows Tokenizer::encode_batch(std::span<const std::string> texts,
                                  const EncodeOptions& options) const {
  return encode_chunks(std::ssize(texts), [&](std::int64_t i, TokenRows& rows) {
    thread_local State::Scratch scratch;
    scratch.first.clear();
    state_->append_ids(texts[static_cast<std::size_t>(i)], scratch, scratch.first);
    state_->append_row(false, options, scratch, rows);
  });
}

TokenRows Tokenizer::encode_batch(std::span<const std::pair<std::string, std::string>> pairs,
                                  const EncodeOptions& options) const {
  return encode_chunks(std::ssize(pairs), [&](std::int64_t i, TokenRows& rows) {
    thread_local State::Scratch scratch;
    scratch.first.clear();
    scratch.second.clear();
    const auto& [first, second] = pairs[static_cast<std::size_t>(i)];
    state_->append_ids(first, scratch, scratch.first);
    state_->append_ids(second, scratch, scratch.second);
    state_->append_row(true, options, scratch, rows);
  });
}

PaddedTokens Tokenizer::pad(const TokenRows& rows) const {
  const Padding padding = spec().padding.value_or(Padding{});
  std::int64_t width = static_cast<std::int64_t>(padding.fixed);
  for (std::int64_t i = 0; i < rows.size(); ++i) width = std::max(width, rows.length(i));
  if (const auto multiple = static_cast<std::int64_t>(padding.multiple); multiple > 0) {
    width = (width + multiple - 1) / multiple * multiple;
  }
  const Shape shape{rows.size(), width};
  PaddedTokens out{empty(shape, DType::i32), empty(shape, DType::i32), empty(shape, DType::i32)};
  for (std::int64_t i = 0; i < rows.size(); ++i) {
    const std::int64_t length = rows.length(i);
    const std::int64_t begin = rows.offsets[static_cast<std::size_t>(i)];
    const std::int64_t shift = padding.left ? width - length : 0;
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t from = j - shift;
      const bool token = from >= 0 && from < length;
      const auto source = static_cast<std::size_t>(begin + (token ? from : 0));
      const std::int64_t to = i * width + j;
      out.ids.data<std::int32_t>()[to] = token ? rows.ids[source] : padding.id;
      out.types.data<std::int32_t>()[to] = token ? rows.types[source] : padding.type;
      out.mask.data<std::int32_t>()[to] = token;
    }
  }
  return out;
}

std::int64_t Tokenizer::vocabulary_size() const { return std::ssize(state_->tokens); }

std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const {
  const auto at = state_->ids.find(token);
  if (at == state_->ids.end()) return std::nullopt;
  return at->second;
}

const std::string& Tokenizer::token_of(std::int32_t id) const {
  const bool known =
      id >= 0 && id < vocabulary_size() && state_->tokens[static_cast<std::size_t>(id)];
  if (!known) {
    fail("token_of", "expected an id of the vocabulary of ", vocabulary_size(), ", got ", id);
  }
  return *state_->tokens[static_cast<std::size_t>(id)];
}

std::uint64_t Tokenizer::vocabulary_hash() const {
  std::uint64_t hash = 0;
  for (std::size_t id = 0; id < state_->tokens.size(); ++id) {
    if (!state_->tokens[id]) continue;
    hash = XXH3_64bits_withSeed(state_->tokens[id]->data(), state_->tokens[id]->size(), hash + id);
  }
  return hash;
}

void require_same_vocabulary(const Tokenizer& a, std::string_view teacher, const Tokenizer& b,
                             std::string_view student) {
  if (a.vocabulary_hash() == b.vocabulary_hash()) return;
  std::int64_t differing = 0;
  const std::int64_t size = std::max(a.vocabulary_size(), b.vocabulary_size());
  std::string example;
  for (std::int64_t id = 0; id < size; ++id) {
    const auto token = [&](const Tokenizer& t) {
      const auto i = static_cast<std::int32_t>(id);
      const bool known = id < t.vocabulary_size() && t.id_of(t.token_of(i)) == i;
      return known ? "\"" + t.token_of(i) + "\"" : std::string("none");
    };
    if (token(a) == token(b)) continue;
    if (differing++ == 0) example = str("id ", id, " is ", token(a), " and ", token(b));
  }
  raise(ErrorKind::usage, "vocabularies differ: the teacher ", teacher, " has ",
        a.vocabulary_size(), " ids, the student ", student, " ", b.vocabulary_size(), "; ",
        differing, " differ, the first: ", example,
        ". Distil logits over classes or embeddings, which need no common vocabulary, or give the "
        "student the teacher's tokeniser.");
}

}  // namespace athanor::data

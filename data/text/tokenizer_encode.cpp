// Text to ids: added tokens, normalising, cutting, the model, then truncation and the template.
#include <algorithm>

#include "data/text/tokenizer_impl.h"

namespace athanor::data {
namespace {

// The spec's first two steps when they are BERT's, which one pass can do.
std::optional<BertWords> fused_words(const TokenizerSpec& spec) {
  if (spec.normalizer.size() != 1 || spec.pre_tokenizer.size() != 1) return std::nullopt;
  const auto* options = std::get_if<BertOptions>(&spec.normalizer[0]);
  if (!options || !std::holds_alternative<BertStep>(spec.pre_tokenizer[0])) return std::nullopt;
  return BertWords(*options);
}

// How many ids of each text stay, as Hugging Face's `truncate_encodings` decides.
std::pair<std::size_t, std::size_t> kept_lengths(std::size_t first, std::size_t second,
                                                 bool is_pair, std::size_t room,
                                                 TruncationStrategy strategy) {
  if (first + second <= room) return {first, second};
  const std::size_t excess = first + second - room;
  switch (strategy) {
    case TruncationStrategy::only_first:
    case TruncationStrategy::only_second: {
      const bool cut_first = strategy == TruncationStrategy::only_first;
      std::size_t& target = cut_first ? first : second;
      if (!cut_first && !is_pair) fail("tokenizer", "truncation of the second text needs a pair");
      if (target <= excess) {
        fail("tokenizer", "truncation would leave nothing of the ", cut_first ? "first" : "second",
             " text: ", target, " tokens, of which ", excess, " have to go");
      }
      target -= excess;
      return {first, second};
    }
    case TruncationStrategy::longest_first:
      break;
  }
  if (!is_pair) return {room, 0};
  const bool swapped = first > second;
  std::size_t shorter = std::min(first, second);
  std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  return swapped ? std::pair(longer, shorter) : std::pair(shorter, longer);
}

}  // namespace

Tokenizer::State::State(TokenizerSpec s) : spec(std::move(s)), bert(fused_words(spec)) {
  std::int32_t last = -1;
  for (const auto& [token, id] : spec.vocabulary) last = std::max(last, id);
  for (const AddedToken& token : spec.added) last = std::max(last, token.id);
  tokens.resize(static_cast<std::size_t>(last) + 1);
  special.resize(tokens.size());
  for (const auto& [token, id] : spec.vocabulary) {
    ids.emplace(token, id);
    tokens[static_cast<std::size_t>(id)] = &token;
  }
  std::vector<AddedToken> raw, normal;
  for (const AddedToken& token : spec.added) {
    ids.emplace(token.content, token.id);
    tokens[static_cast<std::size_t>(token.id)] = &token.content;
    special[static_cast<std::size_t>(token.id)] = token.special;
    if (token.normalized && !spec.normalizer.empty()) {
      normal.push_back(token);
      normal.back().content = normalised(token.content, spec.normalizer);
      if (normal.back().content.empty()) normal.pop_back();
    } else {
      raw.push_back(token);
    }
  }
  raw_added = AddedTokens(std::move(raw));
  normal_added = AddedTokens(std::move(normal));
  if (const auto* pieces = std::get_if<WordPieceOptions>(&spec.model)) {
    word_piece.emplace(spec.vocabulary, *pieces);
  } else if (const auto* pairs = std::get_if<BytePairModel>(&spec.model)) {
    byte_pair.emplace(spec.vocabulary, pairs->merges, pairs->options);
  } else {
    const auto at = ids.find(std::get<WordLevelOptions>(spec.model).unknown);
    if (at != ids.end()) unknown_word = at->second;
  }
}

void Tokenizer::State::append_piece(std::string_view piece, Scratch& scratch,
                                    std::vector<std::int32_t>& out) const {
  if (word_piece) {
    word_piece->encode(piece, out);
  } else if (byte_pair) {
    byte_pair->encode(piece, scratch.pairs, out);
  } else {
    const auto at = ids.find(piece);
    const std::int32_t id = at == ids.end() ? unknown_word : at->second;
    if (id < 0) {
      raise(ErrorKind::bad_input, "text: expected words of the vocabulary, found \"", piece, "\"");
    }
    out.push_back(id);
  }
}

void Tokenizer::State::append_normalised(std::string_view text, Scratch& scratch,
                                         std::vector<std::int32_t>& out) const {
  scratch.pieces.text = text;
  pre_tokenize(scratch.pieces, spec.pre_tokenizer);
  for (std::size_t i = 0; i < scratch.pieces.spans.size(); ++i) {
    append_piece(scratch.pieces[i], scratch, out);
  }
}

void Tokenizer::State::append_ids(std::string_view text, Scratch& scratch,
                                  std::vector<std::int32_t>& out) const {
  scratch.raw.clear();
  if (raw_added.may_stand_in(text)) {
    require_utf8(text);
    raw_added.split(text, scratch.raw);
  } else if (!text.empty()) {
    scratch.raw.push_back({-1, text});
  }
  for (const AddedTokens::Piece& piece : scratch.raw) {
    if (piece.id >= 0) {
      out.push_back(piece.id);
    } else if (bert && word_piece && normal_added.empty()) {
      bert->for_each(piece.text, scratch.words,
                     [&](std::string_view word) { word_piece->encode(word, out); });
    } else {
      const std::string normal = normalised(piece.text, spec.normalizer);
      normal_added.split(normal, scratch.normal);
      for (const AddedTokens::Piece& part : scratch.normal) {
        if (part.id >= 0) {
          out.push_back(part.id);
        } else {
          append_normalised(part.text, scratch, out);
        }
      }
    }
  }
}

void Tokenizer::State::append_row(bool is_pair, const EncodeOptions& options, Scratch& scratch,
                                  TokenRows& rows) const {
  std::vector<std::int32_t>&first = scratch.first, &second = scratch.second;
  if (!is_pair) second.clear();
  static const std::vector<TemplatePiece> plain_single = {{}};
  static const std::vector<TemplatePiece> plain_pair = {{}, {TemplatePiece::Kind::second, {}, 1}};
  const auto& layout = options.special_tokens ? (is_pair ? spec.pair : spec.single)
                                              : (is_pair ? plain_pair : plain_single);
  Truncation truncation = spec.truncation.value_or(Truncation{0});
  if (options.max_length) truncation.max_length = *options.max_length;
  if (truncation.max_length > 0) {
    std::size_t added = 0;
    for (const TemplatePiece& piece : layout) added += piece.ids.size();
    if (truncation.max_length < added) {
      fail("tokenizer", "expected max_length >= ", added, " for the special tokens, got ",
           truncation.max_length);
    }
    const auto [keep_first, keep_second] = kept_lengths(
        first.size(), second.size(), is_pair, truncation.max_length - added, truncation.strategy);
    const auto cut = [&](std::vector<std::int32_t>& ids, std::size_t keep) {
      if (truncation.from_left) {
        ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(keep));
      } else {
        ids.resize(keep);
      }
    };
    cut(first, keep_first);
    cut(second, keep_second);
  }
  for (const TemplatePiece& piece : layout) {
    const auto& ids = piece.kind == TemplatePiece::Kind::first    ? first
                      : piece.kind == TemplatePiece::Kind::second ? second
                                                                  : piece.ids;
    rows.ids.insert(rows.ids.end(), ids.begin(), ids.end());
    rows.types.insert(rows.types.end(), ids.size(), piece.type);
  }
  rows.offsets.push_back(static_cast<std::int64_t>(rows.ids.size()));
}

}  // namespace athanor::data

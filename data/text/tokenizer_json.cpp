// tokenizer.json of Hugging Face's tokenizers.
#include <algorithm>
#include <unordered_set>

#include "data/json_document.h"
#include "data/json_field.h"
#include "data/text/tokenizer.h"
#include "tensor/io/bytes.h"

namespace athanor::data {
namespace {

constexpr std::int64_t kMaxLength = std::int64_t{1} << 40;
constexpr std::int64_t kMaxPadding = 1 << 20;
constexpr std::int64_t kMaxId = (std::int64_t{1} << 31) - 2;

// Calls step(field) for each part of a Sequence, or for the field itself.
template <class F>
void each_step(const JsonField& field, const char* list, F&& step) {
  if (field.is_null()) return;
  if (field["type"].text() != "Sequence") return step(field);
  for (const JsonField& part : field[list].elements()) {
    if (part["type"].text() == "Sequence") part.refuse("no sequence inside a sequence");
    step(part);
  }
}

NormalizerStep read_normalizer(const JsonField& f) {
  const std::size_t type =
      f["type"].choice({"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents",
                        "Strip", "Prepend", "Replace"});
  switch (type) {
    case 0: {
      BertOptions options;
      options.clean_text = f["clean_text"].boolean_or(true);
      options.handle_chinese_chars = f["handle_chinese_chars"].boolean_or(true);
      options.lowercase = f["lowercase"].boolean_or(true);
      options.strip_accents = f["strip_accents"].boolean_or(options.lowercase);
      return options;
    }
    case 1:
      return NormalForm::nfc;
    case 2:
      return NormalForm::nfd;
    case 3:
      return NormalForm::nfkc;
    case 4:
      return NormalForm::nfkd;
    case 5:
      return LowercaseStep{};
    case 6:
      return StripAccentsStep{};
    case 7:
      return StripStep{f["strip_left"].boolean_or(true), f["strip_right"].boolean_or(true)};
    case 8:
      return PrependStep{f["prepend"].text()};
    default: {
      const JsonField literal = f["pattern"]["String"];
      if (!literal.is_string() || literal.text().empty()) {
        literal.refuse("a literal pattern, not empty");
      }
      return ReplaceStep{literal.text(), f["content"].text()};
    }
  }
}

Delimiter read_behavior(const JsonField& f, std::string_view otherwise) {
  if (f.is_null() && otherwise == "Isolated") return Delimiter::isolated;
  constexpr Delimiter kOrder[] = {Delimiter::removed, Delimiter::isolated,
                                  Delimiter::merged_with_previous, Delimiter::merged_with_next,
                                  Delimiter::contiguous};
  return kOrder[f.choice(
      {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"})];
}

PreTokenizerStep read_split(const JsonField& f) {
  const Delimiter behavior = read_behavior(f["behavior"], "");
  const JsonField regex = f["pattern"]["Regex"];
  if (regex.is_null()) {
    if (f["invert"].boolean_or(false)) f["invert"].refuse("false for a literal pattern");
    return LiteralSplitStep{f["pattern"]["String"].text(), behavior};
  }
  BytePattern pattern;
  if (!find_byte_pattern(regex.text(), pattern)) {
    regex.refuse("the pattern of GPT-2, Llama 3 or Qwen 2 (others are not supported)");
  }
  // Those match every character, so that what lies between matches is empty.
  const bool invert = f["invert"].boolean_or(false);
  if (behavior != Delimiter::isolated && !(invert && behavior == Delimiter::removed)) {
    f["behavior"].refuse("Isolated for this pattern, or Removed with invert");
  }
  return PatternSplitStep{pattern};
}

PreTokenizerStep read_pre_tokenizer(const JsonField& f) {
  switch (f["type"].choice({"BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation",
                            "Digits", "ByteLevel", "Split"})) {
    case 0:
      return BertStep{};
    case 1:
      return WhitespaceStep{};
    case 2:
      return WhitespaceSplitStep{};
    case 3:
      return PunctuationStep{read_behavior(f["behavior"], "Isolated")};
    case 4:
      return DigitsStep{f["individual_digits"].boolean_or(false)};
    case 5:
      return ByteLevelStep{f["add_prefix_space"].boolean_or(true), f["use_regex"].boolean_or(true)};
    default:
      return read_split(f);
  }
}

void read_vocabulary(const JsonField& model, TokenizerSpec& spec) {
  for (const auto& [token, id] : model["vocab"].members()) {
    spec.vocabulary.emplace_back(token, static_cast<std::int32_t>(id.integer(0, kMaxId)));
  }
  if (spec.vocabulary.empty()) model["vocab"].refuse("at least one token");
}

void read_added(const JsonField& document, TokenizerSpec& spec) {
  if (document["added_tokens"].is_null()) return;
  for (const JsonField& f : document["added_tokens"].elements()) {
    AddedToken token;
    token.content = f["content"].text();
    if (token.content.empty()) f["content"].refuse("a text that is not empty");
    token.id = static_cast<std::int32_t>(f["id"].integer(0, kMaxId));
    token.single_word = f["single_word"].boolean_or(false);
    token.lstrip = f["lstrip"].boolean_or(false);
    token.rstrip = f["rstrip"].boolean_or(false);
    token.special = f["special"].boolean_or(false);
    token.normalized = f["normalized"].boolean_or(!token.special);
    spec.added.push_back(std::move(token));
  }
}

// Every id belongs to one token, and none lies far beyond their number (ids index arrays).
void check_ids(const TokenizerSpec& spec, std::string_view file) {
  std::unordered_map<std::int32_t, std::string_view> owners;
  std::unordered_set<std::string_view> added;
  const auto count = static_cast<std::int64_t>(spec.vocabulary.size() + spec.added.size());
  const auto claim = [&](std::int32_t id, std::string_view token, const char* field) {
    if (id > 4 * count + 65536) {
      raise(ErrorKind::bad_input, file, ": ", field, "[\"", token.substr(0, 80),
            "\"]: expected ids near the ", count, " tokens, found ", id);
    }
    const auto [at, fresh] = owners.emplace(id, token);
    if (!fresh && at->second != token) {
      raise(ErrorKind::bad_input, file, ": ", field, "[\"", token.substr(0, 80),
            "\"]: expected an id of its own, found ", id, ", which is that of \"",
            at->second.substr(0, 80), "\"");
    }
  };
  for (const auto& [token, id] : spec.vocabulary) claim(id, token, "model.vocab");
  for (const AddedToken& token : spec.added) {
    claim(token.id, token.content, "added_tokens");
    if (!added.insert(token.content).second) {
      raise(ErrorKind::bad_input, file, ": added_tokens: expected each token once, found \"",
            token.content.substr(0, 80), "\" twice");
    }
  }
}

BytePairModel read_byte_pair(const JsonField& f, bool byte_level) {
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!f[name].text_or("").empty()) f[name].refuse("nothing (not supported)");
  }
  if (!f["dropout"].is_null() && f["dropout"].number() != 0) {
    f["dropout"].refuse("nothing (training with dropped merges is not supported)");
  }
  BytePairModel model;
  model.options.byte_level = byte_level;
  model.options.unknown = f["unk_token"].text_or("");
  model.options.fuse_unknown = f["fuse_unk"].boolean_or(false);
  model.options.byte_fallback = f["byte_fallback"].boolean_or(false);
  model.options.ignore_merges = f["ignore_merges"].boolean_or(false);
  for (const JsonField& merge : f["merges"].elements()) {
    if (merge.is_string()) {
      const std::string& text = merge.text();
      const std::size_t blank = text.find(' ');
      if (blank == std::string::npos || text.find(' ', blank + 1) != std::string::npos) {
        merge.refuse("two tokens and a blank between them");
      }
      model.merges.emplace_back(text.substr(0, blank), text.substr(blank + 1));
    } else {
      const auto parts = merge.elements();
      if (parts.size() != 2) merge.refuse("two tokens");
      model.merges.emplace_back(parts[0].text(), parts[1].text());
    }
  }
  return model;
}

void read_model(const JsonField& f, TokenizerSpec& spec) {
  read_vocabulary(f, spec);
  // Old files name no type.
  const std::string type = !f["type"].is_null()                ? f["type"].text()
                           : f.has("merges")                   ? "BPE"
                           : f.has("max_input_chars_per_word") ? "WordPiece"
                                                               : "WordLevel";
  if (type == "WordPiece") {
    WordPieceOptions options;
    options.unknown = f["unk_token"].text_or(options.unknown);
    options.continuing_prefix = f["continuing_subword_prefix"].text_or(options.continuing_prefix);
    options.max_characters =
        static_cast<std::size_t>(f["max_input_chars_per_word"].integer_or(100, 0, 1'000'000));
    spec.model = options;
  } else if (type == "BPE") {
    const bool byte_level = std::any_of(
        spec.pre_tokenizer.begin(), spec.pre_tokenizer.end(),
        [](const PreTokenizerStep& s) { return std::holds_alternative<ByteLevelStep>(s); });
    spec.model = read_byte_pair(f, byte_level);
  } else if (type == "WordLevel") {
    spec.model = WordLevelOptions{f["unk_token"].text_or("")};
  } else {
    f["type"].refuse("one of WordPiece, BPE, WordLevel");
  }
}

std::vector<TemplatePiece> read_template(const JsonField& list, const JsonField& specials) {
  std::vector<TemplatePiece> pieces;
  for (const JsonField& f : list.elements()) {
    TemplatePiece piece;
    if (const JsonField sequence = f["Sequence"]; !sequence.is_null()) {
      piece.kind = sequence["id"].choice({"A", "B"}) == 0 ? TemplatePiece::Kind::first
                                                          : TemplatePiece::Kind::second;
      piece.type = static_cast<std::int32_t>(sequence["type_id"].integer_or(0, 0, kMaxId));
    } else {
      const JsonField special = f["SpecialToken"];
      piece.kind = TemplatePiece::Kind::special;
      piece.type = static_cast<std::int32_t>(special["type_id"].integer_or(0, 0, kMaxId));
      const JsonField named = specials[special["id"].text().c_str()];
      for (const JsonField& id : named["ids"].elements()) {
        piece.ids.push_back(static_cast<std::int32_t>(id.integer(0, kMaxId)));
      }
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

std::vector<TemplatePiece> build_template(std::initializer_list<TemplatePiece> pieces) {
  return pieces;
}

void read_post_processor(const JsonField& f, TokenizerSpec& spec) {
  using Kind = TemplatePiece::Kind;
  const std::size_t type =
      f["type"].choice({"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel"});
  if (type == 3) return;  // moves offsets, not ids
  if (type == 0) {
    const JsonField specials = f["special_tokens"];
    if (!specials.is_object()) specials.refuse("an object");
    spec.single = read_template(f["single"], specials);
    spec.pair = read_template(f["pair"], specials);
    return;
  }
  const auto token = [&](const char* name, std::int32_t type_id) {
    const auto parts = f[name].elements();
    if (parts.size() != 2) f[name].refuse("a token and its id");
    return TemplatePiece{
        Kind::special, {static_cast<std::int32_t>(parts[1].integer(0, kMaxId))}, type_id};
  };
  const bool bert = type == 1;
  const std::int32_t second = bert ? 1 : 0;
  const TemplatePiece a{Kind::first, {}, 0}, b{Kind::second, {}, second};
  spec.single = build_template({token("cls", 0), a, token("sep", 0)});
  spec.pair = build_template({token("cls", 0), a, token("sep", 0)});
  if (!bert) spec.pair.push_back(token("sep", 0));
  spec.pair.push_back(b);
  spec.pair.push_back(token("sep", second));
}

void check_template(const std::vector<TemplatePiece>& pieces, const TokenizerSpec& spec,
                    const JsonField& where) {
  std::unordered_set<std::int32_t> ids;
  for (const auto& [token, id] : spec.vocabulary) ids.insert(id);
  for (const AddedToken& token : spec.added) ids.insert(token.id);
  for (const TemplatePiece& piece : pieces) {
    for (const std::int32_t id : piece.ids) {
      if (!ids.contains(id)) where.refuse(str("ids of the vocabulary, not ", id));
    }
  }
}

void read_truncation(const JsonField& f, TokenizerSpec& spec) {
  if (f.is_null()) return;
  Truncation t;
  t.max_length = static_cast<std::size_t>(f["max_length"].integer(1, kMaxLength));
  constexpr TruncationStrategy kOrder[] = {TruncationStrategy::longest_first,
                                           TruncationStrategy::only_first,
                                           TruncationStrategy::only_second};
  t.strategy = kOrder[f["strategy"].choice({"LongestFirst", "OnlyFirst", "OnlySecond"})];
  if (!f["direction"].is_null()) t.from_left = f["direction"].choice({"Right", "Left"}) == 1;
  spec.truncation = t;
}

void read_padding(const JsonField& f, TokenizerSpec& spec) {
  if (f.is_null()) return;
  Padding p;
  if (f["strategy"].is_object()) {
    p.fixed = static_cast<std::size_t>(f["strategy"]["Fixed"].integer(0, kMaxPadding));
  } else {
    f["strategy"].choice({"BatchLongest"});
  }
  p.multiple = static_cast<std::size_t>(f["pad_to_multiple_of"].integer_or(0, 0, kMaxPadding));
  if (!f["direction"].is_null()) p.left = f["direction"].choice({"Right", "Left"}) == 1;
  p.id = static_cast<std::int32_t>(f["pad_id"].integer_or(0, 0, kMaxId));
  p.type = static_cast<std::int32_t>(f["pad_type_id"].integer_or(0, 0, kMaxId));
  spec.padding = p;
}

void read_decoder(const JsonField& f, TokenizerSpec& spec) {
  if (f.is_null()) return;
  const std::string& type = f["type"].text();
  if (type == "WordPiece") {
    spec.decoder = Decoder::word_piece;
    spec.decoder_prefix = f["prefix"].text_or("##");
    spec.decoder_cleanup = f["cleanup"].boolean_or(true);
  } else if (type == "ByteLevel") {
    spec.decoder = Decoder::byte_level;
  } else if (type == "Fuse" || type == "BPEDecoder") {
    spec.decoder = Decoder::fuse;
  } else {
    f["type"].refuse("one of WordPiece, ByteLevel, Fuse, BPEDecoder");
  }
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::span<const std::byte> bytes, std::string_view file,
                                   const Limits& limits) {
  const nlohmann::json json = parse_json(bytes, file, limits);
  const JsonField document(json, file);
  TokenizerSpec spec;
  if (document["model"].is_null()) document.refuse("a tokenizer.json with a member \"model\"");
  each_step(document["normalizer"], "normalizers",
            [&](const JsonField& f) { spec.normalizer.push_back(read_normalizer(f)); });
  each_step(document["pre_tokenizer"], "pretokenizers", [&](const JsonField& f) {
    if (!spec.pre_tokenizer.empty() &&
        std::holds_alternative<ByteLevelStep>(spec.pre_tokenizer.back())) {
      f.refuse("ByteLevel as the last step");
    }
    spec.pre_tokenizer.push_back(read_pre_tokenizer(f));
  });
  read_model(document["model"], spec);
  read_added(document, spec);
  check_ids(spec, file);
  const TemplatePiece first, second{TemplatePiece::Kind::second, {}, 1};
  spec.single = {first};
  spec.pair = {first, second};
  each_step(document["post_processor"], "processors",
            [&](const JsonField& f) { read_post_processor(f, spec); });
  check_template(spec.single, spec, document["post_processor"]["single"]);
  check_template(spec.pair, spec, document["post_processor"]["pair"]);
  read_truncation(document["truncation"], spec);
  read_padding(document["padding"], spec);
  read_decoder(document["decoder"], spec);
  return spec;
}

}  // namespace athanor::data

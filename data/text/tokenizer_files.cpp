// Tokenisers without a tokenizer.json: vocab.txt, and characters of a text.
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "data/json_document.h"
#include "data/json_field.h"
#include "data/text/tokenizer.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

// The special tokens that BERT's own code knows by name.
void add_bert_specials(TokenizerSpec& spec, std::string_view file) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  for (const auto& [token, id] : spec.vocabulary) ids.emplace(token, id);
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto at = ids.find(name);
    if (at == ids.end()) {
      raise(ErrorKind::bad_input, file, ": expected the token ", name, " of a BERT vocabulary, ",
            "found none among ", spec.vocabulary.size(), " lines");
    }
    AddedToken token;
    token.content = name;
    token.id = at->second;
    token.special = true;
    spec.added.push_back(token);
  }
  using Kind = TemplatePiece::Kind;
  const TemplatePiece cls{Kind::special, {ids.at("[CLS]")}, 0};
  const TemplatePiece sep{Kind::special, {ids.at("[SEP]")}, 0};
  const TemplatePiece sep_second{Kind::special, {ids.at("[SEP]")}, 1};
  const TemplatePiece first{Kind::first, {}, 0}, second{Kind::second, {}, 1};
  spec.single = {cls, first, sep};
  spec.pair = {cls, first, sep, second, sep_second};
  spec.padding = Padding{};
  spec.padding->id = ids.at("[PAD]");
}

BertOptions bert_options_beside(const fs::path& vocabulary, const Limits& limits) {
  BertOptions options;
  const fs::path path = vocabulary.parent_path() / "tokenizer_config.json";
  if (!fs::exists(path)) return options;
  const std::string name = path.string();
  const auto json = parse_json(read_file(path, limits), name, limits);
  const JsonField config(json, name);
  options.lowercase = config["do_lower_case"].boolean_or(true);
  options.handle_chinese_chars = config["tokenize_chinese_chars"].boolean_or(true);
  options.strip_accents = config["strip_accents"].boolean_or(options.lowercase);
  return options;
}

}  // namespace

TokenizerSpec parse_vocab_txt(std::span<const std::byte> bytes, std::string_view file,
                              const BertOptions& bert, const Limits& limits) {
  if (bytes.size() > limits.max_bytes) {
    malformed(file, 0, "vocabulary", "expected at most ", limits.max_bytes, " bytes, found ",
              bytes.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  TokenizerSpec spec;
  std::unordered_map<std::string_view, std::size_t> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) end = text.size();
    std::string_view token = text.substr(begin, end - begin);
    if (token.ends_with('\r')) token.remove_suffix(1);
    const std::size_t line = spec.vocabulary.size() + 1;
    if (const std::size_t bad = first_invalid_utf8(token); bad != std::string_view::npos) {
      raise(ErrorKind::bad_input, file, ": line ", line, ": expected UTF-8, found byte ",
            static_cast<int>(static_cast<unsigned char>(token[bad])), " at column ", bad + 1);
    }
    const auto [at, fresh] = lines.emplace(token, line);
    if (!fresh) {
      raise(ErrorKind::bad_input, file, ": line ", line, ": expected each token once, found \"",
            token.substr(0, 80), "\" of line ", at->second);
    }
    spec.vocabulary.emplace_back(token, static_cast<std::int32_t>(spec.vocabulary.size()));
    begin = end + 1;
  }
  spec.normalizer = {bert};
  spec.pre_tokenizer = {BertStep{}};
  spec.model = WordPieceOptions{};
  spec.decoder = Decoder::word_piece;
  add_bert_specials(spec, file);
  return spec;
}

TokenizerSpec character_tokenizer(std::string_view text, std::string_view unknown) {
  require_utf8(text);
  std::set<std::int32_t> characters;
  for (std::size_t at = 0; at < text.size();) characters.insert(decode_utf8(text, at));
  TokenizerSpec spec;
  spec.vocabulary.emplace_back(unknown, 0);
  for (const std::int32_t c : characters) {
    std::string token;
    append_utf8(token, c);
    spec.vocabulary.emplace_back(token, static_cast<std::int32_t>(spec.vocabulary.size()));
  }
  BytePairModel model;
  model.options.unknown = unknown;
  spec.model = model;
  spec.single = {{}};
  spec.pair = {{}, {TemplatePiece::Kind::second, {}, 1}};
  spec.decoder = Decoder::fuse;
  return spec;
}

std::string character_tokenizer_json(const TokenizerSpec& spec) {
  const auto* model = std::get_if<BytePairModel>(&spec.model);
  if (!model || !model->merges.empty() || !spec.normalizer.empty() || !spec.pre_tokenizer.empty()) {
    fail("character_tokenizer_json", "expected the spec of a character tokeniser");
  }
  nlohmann::json vocabulary = nlohmann::json::object();
  for (const auto& [token, id] : spec.vocabulary) vocabulary[token] = id;
  const nlohmann::json json = {{"version", "1.0"},
                               {"truncation", nullptr},
                               {"padding", nullptr},
                               {"added_tokens", nlohmann::json::array()},
                               {"normalizer", nullptr},
                               {"pre_tokenizer", nullptr},
                               {"post_processor", nullptr},
                               {"decoder", {{"type", "Fuse"}}},
                               {"model",
                                {{"type", "BPE"},
                                 {"dropout", nullptr},
                                 {"unk_token", model->options.unknown},
                                 {"continuing_subword_prefix", nullptr},
                                 {"end_of_word_suffix", nullptr},
                                 {"fuse_unk", false},
                                 {"byte_fallback", false},
                                 {"vocab", vocabulary},
                                 {"merges", nlohmann::json::array()}}}};
  return json.dump();
}

Tokenizer Tokenizer::load(const fs::path& path, const Limits& limits) {
  fs::path file = path;
  if (fs::is_directory(path)) {
    file = path / "tokenizer.json";
    if (!fs::exists(file)) file = path / "vocab.txt";
    if (!fs::exists(file)) {
      raise(ErrorKind::bad_input, path.string(),
            ": expected a tokenizer.json or a vocab.txt, found neither");
    }
  }
  const std::string name = file.string();
  try {
    const std::vector<std::byte> bytes = read_file(file, limits);
    if (file.extension() == ".txt") {
      return Tokenizer(parse_vocab_txt(bytes, name, bert_options_beside(file, limits), limits));
    }
    return Tokenizer(parse_tokenizer_json(bytes, name, limits));
  } catch (const Error& error) {
    // The model's own checks do not know the file.
    if (std::string_view(error.what()).starts_with(name)) throw;
    throw Error(name + ": " + error.what(), error.kind());
  }
}

}  // namespace athanor::data

#include "nn/gpt_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "nn/init.h"
#include "tensor/io/safetensors.h"

namespace athanor::nn {
namespace {

constexpr const char* kCharacterModelKind = "athanor.character_model";
constexpr const char* kCharacterModelVersion = "1";

nlohmann::json to_json(const GptConfig& c, const ByteVocabulary& vocabulary) {
  std::vector<int> bytes;
  for (const char byte : vocabulary.bytes()) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"context", c.context},
          {"width", c.width},
          {"layers", c.layers},
          {"heads", c.heads},
          {"key_value_heads", c.key_value_heads},
          {"feed_forward", c.feed_forward},
          {"rotary", c.rotary},
          {"gated", c.gated},
          {"bias", c.bias},
          {"tied", c.tied},
          {"norm", c.norm == NormKind::rms ? "rms" : "layer"},
          {"norm_eps", c.norm_eps},
          {"dropout", c.dropout},
          {"vocabulary", bytes}};
}

GptConfig from_json(const nlohmann::json& json, ByteVocabulary& vocabulary) {
  std::string bytes;
  for (const int byte : json.at("vocabulary").get<std::vector<int>>()) {
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  }
  vocabulary = ByteVocabulary(bytes);
  GptConfig c;
  c.vocabulary = vocabulary.size();
  c.context = json.at("context").get<std::int64_t>();
  c.width = json.at("width").get<std::int64_t>();
  c.layers = json.at("layers").get<std::int64_t>();
  c.heads = json.at("heads").get<std::int64_t>();
  c.key_value_heads = json.at("key_value_heads").get<std::int64_t>();
  c.feed_forward = json.at("feed_forward").get<std::int64_t>();
  c.rotary = json.at("rotary").get<bool>();
  c.gated = json.at("gated").get<bool>();
  c.bias = json.at("bias").get<bool>();
  c.tied = json.at("tied").get<bool>();
  c.norm = json.at("norm").get<std::string>() == "rms" ? NormKind::rms : NormKind::layer;
  c.norm_eps = json.at("norm_eps").get<double>();
  c.dropout = json.at("dropout").get<double>();
  return c;
}

}  // namespace

ByteVocabulary::ByteVocabulary(std::string_view text) : bytes_(text) {
  std::sort(bytes_.begin(), bytes_.end(), [](char a, char b) {
    return static_cast<unsigned char>(a) < static_cast<unsigned char>(b);
  });
  bytes_.erase(std::unique(bytes_.begin(), bytes_.end()), bytes_.end());
}

std::vector<std::int64_t> ByteVocabulary::encode(std::string_view text) const {
  std::vector<std::int64_t> token_of(256, -1), tokens;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    token_of[static_cast<unsigned char>(bytes_[i])] = static_cast<std::int64_t>(i);
  }
  tokens.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (token_of[byte] < 0) {
      raise(ErrorKind::bad_input, "text: offset ", i, ": expected one of the model's ", size(),
            " bytes, found ", int(byte));
    }
    tokens.push_back(token_of[byte]);
  }
  return tokens;
}

std::string ByteVocabulary::decode(const std::vector<std::int64_t>& tokens) const {
  std::string text;
  for (const std::int64_t token : tokens) {
    if (token < 0 || token >= size()) {
      fail("decode", "expected tokens in [0, ", size(), "), got ", token);
    }
    text.push_back(bytes_[static_cast<std::size_t>(token)]);
  }
  return text;
}

void save_character_model(const std::filesystem::path& path, const CharacterModel& model) {
  save_safetensors(path, model.gpt->state_dict(),
                   {{"format", kCharacterModelKind},
                    {"format_version", kCharacterModelVersion},
                    {"producer", "athanor"},
                    {"spec", to_json(model.gpt->config(), model.vocabulary).dump()}});
}

CharacterModel load_character_model(const std::filesystem::path& path) {
  const auto [tensors, metadata] = load_safetensors(path);
  const auto value = [&, &metadata = metadata](const char* key) {
    const auto it = metadata.find(key);
    return it == metadata.end() ? std::string() : it->second;
  };
  if (value("format") != kCharacterModelKind || value("format_version") != kCharacterModelVersion) {
    raise(ErrorKind::bad_input, path.string(), ": expected format ", kCharacterModelKind,
          " version ", kCharacterModelVersion, ", found ", value("format"), " version ",
          value("format_version"));
  }
  CharacterModel model;
  GptConfig config;
  try {
    config = from_json(nlohmann::json::parse(value("spec")), model.vocabulary);
  } catch (const nlohmann::json::exception& error) {
    raise(ErrorKind::bad_input, path.string(), ": metadata spec: ", error.what());
  }
  const SkipInit skip;
  Generator generator(0);
  model.gpt = std::make_shared<Gpt>(config, generator);
  model.gpt->load_state_dict(tensors);
  model.gpt->eval();
  return model;
}

}  // namespace athanor::nn

// A language model over characters, and its file.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/gpt.h"

namespace athanor::nn {

// The bytes that occur in a text, as tokens: 0, 1, ... in the order of their values.
class ByteVocabulary {
 public:
  ByteVocabulary() = default;
  explicit ByteVocabulary(std::string_view text);
  std::int64_t size() const { return static_cast<std::int64_t>(bytes_.size()); }
  const std::string& bytes() const { return bytes_; }
  // Throws Error(bad_input) for a byte that is not in the vocabulary, naming its place.
  std::vector<std::int64_t> encode(std::string_view text) const;
  // Throws for a token out of range.
  std::string decode(const std::vector<std::int64_t>& tokens) const;

 private:
  std::string bytes_;  // by token
};

struct CharacterModel {
  std::shared_ptr<Gpt> gpt;
  ByteVocabulary vocabulary;
};

// Weights, configuration and vocabulary in one safetensors file, written atomically.
void save_character_model(const std::filesystem::path& path, const CharacterModel& model);
// Throws Error(bad_input) for a file of another kind, a newer format version or wrong shapes.
CharacterModel load_character_model(const std::filesystem::path& path);

}  // namespace athanor::nn

// Texts with classes, as `athanor train` reads them, and batches of their tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/batch_order.h"
#include "data/text/tokenizer.h"
#include "tensor/random.h"

namespace athanor::distill {

struct TextSet {
  std::vector<std::string> texts, classes;
  std::vector<std::int64_t> records;  // their numbers in the file, from 0
  std::vector<std::int64_t> labels;   // places in `classes`
};

// directory/name.tsv, .csv or .jsonl, also .gz. Throws bad_input where there is none of them.
std::filesystem::path table_at(const std::filesystem::path& directory, const std::string& name);

// The part of the directory that a result is reported on: `test` where it has labels (those of a
// challenge often have none), else `dev`.
std::filesystem::path test_table(const std::filesystem::path& directory);

// Columns `sentence` (or `text`) and `label`. `classes` are those of the training part, or empty:
// then they are what the file has, in order. Throws bad_input naming file and record.
TextSet read_texts(const std::filesystem::path& path, std::vector<std::string> classes = {});

// Texts as ids, and what to predict.
struct EncodedTexts {
  data::TokenRows rows;
  std::vector<std::int64_t> labels;

  std::int64_t size() const { return rows.size(); }
  Tensor labels_of(const std::vector<std::int64_t>& which) const;  // i64
};

struct TokenBatch {
  Tensor ids, lengths;  // i64 [B, L] filled with 0, [B]
};
TokenBatch batch_of(const data::TokenRows& rows, const std::vector<std::int64_t>& which);

// Endless batches of texts of like length, so that little of a batch is padding: 64 batches are
// drawn together, sorted by length, cut and mixed. `rows` must live as long.
class LikeLengths {
 public:
  LikeLengths(const data::TokenRows& rows, std::int64_t batch, std::uint64_t seed);
  std::vector<std::int64_t> next();
  std::int64_t batches_per_epoch() const { return (rows_.size() + batch_ - 1) / batch_; }

 private:
  void fill();
  const data::TokenRows& rows_;
  std::int64_t batch_;
  data::BatchOrder order_;
  Generator mix_;
  std::vector<std::vector<std::int64_t>> ready_;
};

}  // namespace athanor::distill

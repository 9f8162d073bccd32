#include "distill/refine/clean_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <unordered_set>

#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

using Rows = std::vector<std::int64_t>;

constexpr std::int64_t kLookBatch = 256;

class CleanReading {
 public:
  explicit CleanReading(const TableInput& input) : in_(input), schema_(input.schema) {}

  CleanTable run() {
    if (schema_.label.empty()) {
      raise(ErrorKind::usage, "plant: expected a schema with a label, found none");
    }
    for (const auto& path : in_.files) read_file(path);
    read_media();
    RecordMedia media;
    if (media_) media = media_->finish();
    if (fault_) report_fault(media);
    choose();
    if (t_.labels.size() < 2) {
      raise(ErrorKind::usage, "plant: expected at least 2 classes, found ", t_.labels.size());
    }
    const Tensor x = t_.text_columns.empty() ? take_rows(vectors_of(media), chosen_) : embedded();
    t_.confusable = nearest_classes(x);
    return std::move(t_);
  }

 private:
  void read_file(const std::filesystem::path& path) {
    data::RecordReader reader(path, data::dialect_of(schema_, path));
    data::check_schema(schema_, reader.columns(), path.string());
    begin_file(reader.columns(), path);
    data::Record record;
    while (reader.next(record)) {
      if (record.problem) continue;
      rows_.emplace_back(record.fields.begin(), record.fields.end());
      std::string key;
      bool says = false;
      for (const std::size_t c : t_.text_columns) {
        key += normalised(record.fields[c]) + '\n';
        says = says || !data::trimmed(record.fields[c]).empty();
      }
      key_.push_back(std::move(key));
      says_.push_back(says);
      if (!media_) continue;
      for (const std::size_t c : media_->columns()) {
        std::string& field = rows_.back()[c];
        field = data::trimmed(field);
        if (!field.empty()) field = (media_->folder() / field).string();
      }
      media_->add(record.fields);
      if (std::ssize(rows_) - read_ == kLookBatch) read_media();
    }
  }

  void begin_file(const std::vector<std::string>& columns, const std::filesystem::path& path) {
    const auto type = [&](const std::string& name) { return schema_.column(name).type; };
    const auto is_file = [&](const std::string& name) {
      return type(name) == data::ColumnType::image || type(name) == data::ColumnType::audio;
    };
    const auto place = [&](const std::string& name) {
      return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), name) -
                                      columns.begin());
    };
    if (t_.has_media && columns != t_.columns) {
      raise(ErrorKind::bad_input, path.string(), ": expected the columns of ",
            in_.files.front().string(), ", found others");
    }
    t_.columns = columns;
    t_.label_column = place(schema_.label);
    t_.text_columns.clear();
    for (const std::string& name : schema_.text) t_.text_columns.push_back(place(name));
    t_.has_media = std::any_of(columns.begin(), columns.end(), is_file);
    if (t_.text_columns.empty() && !t_.has_media) {
      raise(ErrorKind::usage,
            "plant: expected a schema with a text, a picture or a sound, found none");
    }
    if (!t_.has_media) return;
    for (const std::string& name : columns) {
      if (type(name) != data::ColumnType::embedding) continue;
      raise(ErrorKind::usage, "plant: expected no embeddings beside pictures or sounds, found '",
            name, "'; they would say what these were before");
    }
    if (!media_) {
      media_ = std::make_unique<MediaReading>(schema_, columns, path, in_.schema_folder);
    }
    media_->begin_file(path);
  }

  void read_media() {
    if (!media_) return;
    const std::vector<MediaField> fields = media_->read();
    const std::size_t columns = media_->columns().size();
    for (std::size_t f = 0; f < fields.size(); ++f) {
      const std::size_t row = static_cast<std::size_t>(read_) + f / columns;
      const auto& fault = fields[f].fault;
      const bool absent = fault == CellFault::absent || fault == CellFault::sentinel;
      if (absent) rows_[row][media_->columns()[f % columns]].clear();
      if (fault && !absent && !fault_) fault_ = fault;
      says_[row] = says_[row] || !absent;
      const auto* hash = reinterpret_cast<const char*>(&fields[f].hash);
      if (!absent) key_[row].append(hash, sizeof fields[f].hash);
      key_[row] += '\n';
    }
    read_ = std::ssize(rows_);
  }

  // Notes begin with the column's name; the first of this fault says where it is.
  [[noreturn]] void report_fault(const RecordMedia& media) const {
    const std::string what = "at fault: " + std::string(name_of(*fault_));
    const auto note = std::find_if(media.notes.begin(), media.notes.end(),
                                   [&](const auto& text) { return text.find(what) != text.npos; });
    raise(ErrorKind::bad_input, in_.files.front().string(),
          ": expected pictures and sounds that can be read, found: ",
          note == media.notes.end() ? what : *note);
  }

  void choose() {
    std::unordered_set<std::string> seen;
    std::vector<std::vector<std::string>> rows;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::string label(data::trimmed(rows_[i][t_.label_column]));
      if (!says_[i] || data::is_absent(label, schema_.sentinels)) continue;
      if (!seen.insert(std::move(key_[i])).second) {
        ++t_.copies;
        continue;
      }
      t_.label.push_back(t_.labels.number(label));
      chosen_.push_back(static_cast<std::int64_t>(i));
      rows.push_back(std::move(rows_[i]));
    }
    t_.rows = std::move(rows);
  }

  Tensor embedded() const {
    TextArena arena;
    for (const auto& row : t_.rows) {
      std::string text;
      for (std::size_t c : t_.text_columns) text += row[c] + " ";
      arena.add(normalised(text));
    }
    const TokenRows tokens = tokens_of(arena);
    Rows all(t_.rows.size());
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return embed_tokens(tokens, all, inverse_document_frequencies(tokens));
  }

  // `x`: f32 [rows, d].
  Rows nearest_classes(const Tensor& x) const {
    const std::int64_t classes = t_.labels.size(), d = x.size(1);
    std::vector<double> mean(static_cast<std::size_t>(classes * d)), count(mean.size());
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      for (std::int64_t j = 0; j < d; ++j) {
        mean[t_.label[i] * d + j] += x.data<float>()[i * d + j];
        ++count[t_.label[i] * d + j];
      }
    }
    Rows nearest(static_cast<std::size_t>(classes));
    for (std::int64_t a = 0; a < classes; ++a) {
      double best = std::numeric_limits<double>::infinity();
      for (std::int64_t b = 0; b < classes; ++b) {
        if (a == b) continue;
        double distance = 0;
        for (std::int64_t j = 0; j < d; ++j) {
          distance +=
              std::pow(mean[a * d + j] / count[a * d + j] - mean[b * d + j] / count[b * d + j], 2);
        }
        if (distance >= best) continue;
        best = distance;
        nearest[a] = b;
      }
    }
    return nearest;
  }

  const TableInput& in_;
  const data::TableSchema& schema_;
  CleanTable t_;
  std::unique_ptr<MediaReading> media_;  // where there are pictures or sounds
  std::optional<CellFault> fault_;       // the first of a picture or a sound
  std::int64_t read_ = 0;                // of rows_, their pictures and sounds
  // Of each record that could be read, whether or not it takes part.
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> key_;  // equal for equal content
  std::vector<char> says_;        // anything
  Rows chosen_;                   // those that take part
};

}  // namespace

CleanTable read_clean_table(const TableInput& input) { return CleanReading(input).run(); }

}  // namespace athanor::distill

// The columns of a table whose fields are more than their text: pictures, sounds and vectors.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/table_schema.h"
#include "distill/refine/cell_issues.h"
#include "distill/refine/content_hash.h"
#include "distill/refine/look.h"
#include "distill/refine/picture_set.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// What is kept of them. Vectors with an entry a record are empty where there is no such column.
struct RecordMedia {
  std::vector<Look> images, sounds;
  PictureSet set;          // of the images
  Tensor vectors;          // f32 [records, width]; zeros where a record has none that can be used
  std::int64_t width = 0;  // of the embeddings; 0 = no such column
  std::vector<std::string> notes;  // what is wrong with fields of each column: how many, which
                                   // first; of pictures and sounds whether they are of one kind

  bool has_looks() const { return !images.empty() || !sounds.empty(); }
  bool any() const { return has_looks() || width > 0; }
  // Of the picture and the sound, the first one.
  LookFault look_fault(std::int64_t row) const;
  // Share of the checks that pass: `share` of `checks` others (NaN: there are none; a text that
  // none applies to passes one), and those of picture and sound.
  double surface_share(std::int64_t row, double share, std::uint8_t checks) const;
  // What models learn to tell labels by: pictures where there are some, else sounds.
  const std::vector<Look>& main_looks() const { return images.empty() ? sounds : images; }
};

// One field of such a column.
struct MediaField {
  std::optional<CellFault> fault;
  ContentHash hash{};  // of the file's bytes, of the vector's numbers; 0 = nothing
};

// Fields are copied by add() and read, decoded and measured by read(), on several threads. At most
// one picture or sound a thread is in memory, up to 128 MiB of pixels, 256 MiB of samples; larger
// ones are `undecodable`.
class MediaReading {
 public:
  // `file`: the first of the table, which says how wide embeddings are where the schema does not.
  // Throws usage where no vector tells.
  MediaReading(const data::TableSchema& schema, const std::vector<std::string>& columns,
               const std::filesystem::path& file, const std::filesystem::path& schema_folder);

  // Positions of the columns, in their order; empty = there are none.
  const std::vector<std::size_t>& columns() const { return place_; }
  data::ColumnType type(std::size_t k) const { return column_[k].spec.type; }
  const data::ColumnSpec& spec(std::size_t k) const { return column_[k].spec; }

  // Records that follow stand in `file`.
  void begin_file(const std::filesystem::path& file);
  void add(const std::vector<std::string_view>& fields);
  // Where the paths of the records that follow start.
  const std::filesystem::path& folder() const { return folder_; }
  // Of the records added since the last call: [records, columns().size()].
  std::vector<MediaField> read();
  RecordMedia finish();

 private:
  struct Column {
    data::ColumnSpec spec;
    std::vector<std::string> sentinels;
    std::vector<std::string> value;  // of the records to be read
    struct Count {
      std::int64_t fields = 0;
      std::string first;
    };
    std::array<Count, kCellFaults> faults;
  };

  MediaField read_vector(const Column& column, const std::string& value, float* out) const;
  MediaField read_file(const Column& column, const std::filesystem::path& path, Look& look,
                       std::string& why) const;
  void count_faults(const std::vector<MediaField>& fields, const std::vector<std::string>& why);

  std::vector<std::size_t> place_;
  std::vector<Column> column_;
  std::string schema_folder_;
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> folders_;  // of each record to be read
  std::int64_t records_ = 0;                    // read so far
  RecordMedia media_;
  std::vector<std::vector<float>> vectors_;  // of each batch
};

// Unit-free vectors by which records with such columns are neighbours and labels are judged: the
// embeddings, else what pictures and sounds look like (look_vectors), side by side. Undefined where
// there are none.
Tensor vectors_of(const RecordMedia& media);

}  // namespace athanor::distill

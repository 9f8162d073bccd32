// A clean table as planting reads it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "distill/refine/dictionary.h"
#include "distill/refine/table_records.h"

namespace athanor::distill {

struct CleanTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // of pictures and sounds the paths from here
  std::vector<std::int64_t> label;             // of `labels`
  Dictionary labels;
  std::size_t label_column = 0;
  std::vector<std::size_t> text_columns;
  bool has_media = false;                // a column of pictures or sounds
  std::int64_t copies = 0;               // records left out because an earlier one says the same
  std::vector<std::int64_t> confusable;  // for each class the one with the nearest mean, of the
                                         // texts' embeddings; without texts of what pictures and
                                         // sounds look like (look_vectors)
};

// The records of the input that have a label and a text, picture or sound, one of each content: the
// manifest could not tell a copy that was there before from a record of its own. Errors are those
// of RecordReader and check_schema; usage for no label, neither text nor picture nor sound, fewer
// than two classes, and for embeddings beside pictures or sounds, which would say what these were
// before; bad_input for a picture or a sound that cannot be read, and for files whose columns
// differ.
CleanTable read_clean_table(const TableInput& input);

}  // namespace athanor::distill

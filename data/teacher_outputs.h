// What a teacher that lives elsewhere said about records, in files keyed by record ids.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

// Numbers a record: logits, probabilities or an embedding.
struct TeacherOutputs {
  Tensor values;                 // f32 [N, D]
  std::vector<std::string> ids;  // of the rows, each once; empty: rows are records in their order
};

// .npy: [N, D] of a floating dtype, with ids in NAME.ids (one a line, UTF-8) beside it or none.
// .npz or .safetensors: the array `values` (or the only floating one of rank 2), and ids as an i64
// or i32 array `ids`, or as NAME.ids beside the file. Throws bad_input: other shapes, NaN or
// infinite values (with the row), as many ids as rows, an id twice (with both places).
TeacherOutputs load_teacher_outputs(const std::filesystem::path& path, const Limits& limits = {});

// The rows of `outputs` for these records: f32 [ids.size(), D]. Without ids in the file the counts
// must be equal. Throws bad_input that names `file`, how many records have no row, and the first.
Tensor outputs_for(const TeacherOutputs& outputs, std::span<const std::string> ids,
                   std::string_view file);

}  // namespace athanor::data

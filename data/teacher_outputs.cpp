#include "data/teacher_outputs.h"

#include <cmath>
#include <map>
#include <unordered_map>

#include "data/npz.h"
#include "data/text/text_lines.h"
#include "tensor/io/npy.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/copy.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

bool is_floating_matrix(const Tensor& x) { return x.rank() == 2 && is_floating(x.dtype()); }

// `values`, or the only floating matrix.
Tensor values_of(const std::map<std::string, Tensor>& arrays, const std::string& file) {
  if (const auto at = arrays.find("values"); at != arrays.end()) return at->second;
  Tensor found;
  for (const auto& [name, array] : arrays) {
    if (!is_floating_matrix(array)) continue;
    if (found.defined()) {
      raise(ErrorKind::bad_input, file,
            ": expected an array \"values\" or one floating matrix, found several");
    }
    found = array;
  }
  if (!found.defined()) {
    raise(ErrorKind::bad_input, file, ": expected an array \"values\" or one floating matrix, ",
          "found none among ", arrays.size());
  }
  return found;
}

std::vector<std::string> texts_of(const Tensor& ids, const std::string& file) {
  if (ids.rank() != 1 || (ids.dtype() != DType::i64 && ids.dtype() != DType::i32)) {
    raise(ErrorKind::bad_input, file, ": ids: expected i64 or i32 [N], found ", describe(ids));
  }
  std::vector<std::string> texts;
  for (const std::int64_t id : cast(ids, DType::i64).to_vector<std::int64_t>()) {
    texts.push_back(std::to_string(id));
  }
  return texts;
}

void check(const TeacherOutputs& outputs, const std::string& file) {
  const std::int64_t width = outputs.values.size(1);
  const float* value = outputs.values.data<float>();
  for (std::int64_t i = 0; i < outputs.values.numel(); ++i) {
    if (std::isfinite(value[i])) continue;
    raise(ErrorKind::bad_input, file, ": row ", i / width, ", column ", i % width,
          ": expected a finite number, found ", value[i]);
  }
  if (outputs.ids.empty()) return;
  if (std::ssize(outputs.ids) != outputs.values.size(0)) {
    raise(ErrorKind::bad_input, file, ": expected one id for each of ", outputs.values.size(0),
          " rows, found ", outputs.ids.size());
  }
  std::unordered_map<std::string_view, std::size_t> rows;
  for (std::size_t i = 0; i < outputs.ids.size(); ++i) {
    const auto [at, fresh] = rows.emplace(outputs.ids[i], i);
    if (!fresh) {
      raise(ErrorKind::bad_input, file, ": ids: expected each once, found \"", outputs.ids[i],
            "\" in rows ", at->second, " and ", i);
    }
  }
}

}  // namespace

TeacherOutputs load_teacher_outputs(const fs::path& path, const Limits& limits) {
  const std::string file = path.string(), end = path.extension().string();
  TeacherOutputs outputs;
  Tensor values;
  if (end == ".npy") {
    values = load_npy(path, limits);
  } else if (end == ".npz" || end == ".safetensors") {
    const std::map<std::string, Tensor> arrays =
        end == ".npz" ? load_npz(path, limits) : load_safetensors(path, limits).first;
    values = values_of(arrays, file);
    if (const auto at = arrays.find("ids"); at != arrays.end()) {
      outputs.ids = texts_of(at->second, file);
    }
  } else {
    raise(ErrorKind::usage, "teacher outputs: expected a .npy, .npz or .safetensors file, got ",
          file);
  }
  if (!is_floating_matrix(values) || values.size(1) < 1) {
    raise(ErrorKind::bad_input, file, ": expected a floating matrix [records, numbers], found ",
          describe(values));
  }
  outputs.values = contiguous(cast(values, DType::f32));
  if (const fs::path beside = fs::path(path).replace_extension(".ids");
      outputs.ids.empty() && fs::exists(beside)) {
    TextLines lines(beside);
    for (std::string line; lines.next(line);) outputs.ids.push_back(line);
  }
  check(outputs, file);
  return outputs;
}

Tensor outputs_for(const TeacherOutputs& outputs, std::span<const std::string> ids,
                   std::string_view file) {
  const std::int64_t width = outputs.values.size(1);
  if (outputs.ids.empty()) {
    if (outputs.values.size(0) != std::ssize(ids)) {
      raise(ErrorKind::bad_input, file, ": expected ", ids.size(),
            " rows (one a record, since there are no ids), found ", outputs.values.size(0));
    }
    return outputs.values;
  }
  std::unordered_map<std::string_view, std::int64_t> rows;
  for (const std::string& id : outputs.ids) {
    rows.emplace(id, static_cast<std::int64_t>(rows.size()));
  }
  Tensor result = empty({std::ssize(ids), width});
  std::int64_t missing = 0;
  std::string first;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto at = rows.find(ids[i]);
    if (at == rows.end()) {
      if (missing++ == 0) first = ids[i];
      continue;
    }
    const float* from = outputs.values.data<float>() + at->second * width;
    std::copy_n(from, width, result.data<float>() + static_cast<std::int64_t>(i) * width);
  }
  if (missing > 0) {
    raise(ErrorKind::bad_input, file, ": expected a row for each of ", ids.size(),
          " records, found none for ", missing, ", the first \"", first, "\"");
  }
  return result;
}

}  // namespace athanor::data

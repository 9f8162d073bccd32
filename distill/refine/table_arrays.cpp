#include "distill/refine/table_arrays.h"

#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {

Tensor load_vectors(const std::vector<std::filesystem::path>& files, std::int64_t records) {
  std::vector<Tensor> parts;
  std::int64_t rows = 0;
  for (const std::filesystem::path& path : files) {
    const Tensor part = load_npy(path);
    if (part.rank() != 2 || part.size(1) < 1 ||
        (!parts.empty() && part.size(1) != parts.front().size(1))) {
      raise(ErrorKind::bad_input, path.string(), ": expected an array [records, width]",
            parts.empty() ? "" : " as wide as the first", ", found ", describe(part));
    }
    rows += part.size(0);
    parts.push_back(cast(part, DType::f32));
  }
  if (rows != records) {
    raise(ErrorKind::bad_input, files.back().string(), ": expected an array [", records,
          ", width], one row for each record that can be read, found ", rows, " rows");
  }
  return contiguous(parts.size() == 1 ? parts.front() : cat(parts, 0));
}

ProbabilityTable load_probabilities(const std::filesystem::path& file, std::int64_t records,
                                    std::int64_t classes) {
  const Tensor p = load_npy(file);
  if (p.rank() != 2 || p.size(0) != records || p.size(1) != classes) {
    raise(ErrorKind::bad_input, file.string(), ": expected an array [", records, ", ", classes,
          "] (records, classes in the order of their first record), found ", describe(p));
  }
  try {
    return to_probability_table(p, records);
  } catch (const Error& error) {
    raise(ErrorKind::bad_input, file.string(), ": ", error.what());
  }
}

}  // namespace athanor::distill

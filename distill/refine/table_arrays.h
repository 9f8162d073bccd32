// Arrays that lie beside a table: a row of numbers for each record.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "distill/refine/label_trust.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// f32 [records, width] from .npy files that follow each other. Errors are bad_input: no matrices,
// other widths, another number of rows in all.
Tensor load_vectors(const std::vector<std::filesystem::path>& files, std::int64_t records);

// Class probabilities from an .npy [records, classes]; rows that begin with NaN are unknown.
// Errors are bad_input: another shape, a row that is no distribution.
ProbabilityTable load_probabilities(const std::filesystem::path& file, std::int64_t records,
                                    std::int64_t classes);

}  // namespace athanor::distill

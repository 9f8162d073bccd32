// Discriminants out of fold on what a table holds of its records: the surest judges of its labels.
#pragma once

#include <cstdint>
#include <vector>

#include "distill/refine/label_task.h"
#include "distill/refine/label_weighing.h"

namespace athanor::distill {

// Beyond as many records the words' directions are left out.
inline constexpr std::int64_t kMostLatent = 50'000;

// One-hot rows of what models are told; NaN where there is no label.
ProbabilityTable given_labels(const LabelTask& task);

// Answers on all records, [size, classes], of discriminants on sentence vectors (where given)
// beside the leading directions of the words, or on these alone; the mean over partitions into
// folds and strengths of shrinkage.
// They learn from `given`, and in each further round from the class posteriors that the answers of
// the round before and the labels give, made for each fold without its own labels. Unless
// few_classes(task), one round and one partition. `weight`: what each record teaches.
ProbabilityTable judge_by_discriminants(const LabelTask& task, const LabelWeighing& weighing,
                                        const ProbabilityTable& given,
                                        const std::vector<float>& weight, int rounds,
                                        std::uint64_t seed);

// Answers on the records of each part but 0, of models that learn from `given` on all other parts;
// those of part 0 are unknown. Directions are found with fewer steps.
ProbabilityTable judge_by_discriminants(const LabelTask& task, const ProbabilityTable& given,
                                        const std::vector<std::int64_t>& part,
                                        const std::vector<float>& weight, std::uint64_t seed);

}  // namespace athanor::distill

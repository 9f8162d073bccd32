// The costly results of refining a table as named tensors and back, to the last bit: what a run
// that was stopped leaves for the next (run/stage_store.h), and a finished one for its extension.
#pragma once

#include <string>
#include <vector>

#include "distill/refine/linkage.h"
#include "distill/refine/similar_records.h"
#include "distill/refine/table_labels.h"
#include "distill/refine/table_neighbours.h"
#include "distill/refine/uniqueness.h"
#include "distill/run/stage_store.h"

namespace athanor::distill {

NamedTensors pack_links(const std::vector<Link>& links);
std::vector<Link> unpack_links(const NamedTensors& tensors);

NamedTensors pack_copies(const DuplicateGroups& groups);
DuplicateGroups unpack_copies(const NamedTensors& tensors);

NamedTensors pack_values(const std::vector<double>& values);
std::vector<double> unpack_values(const NamedTensors& tensors);

NamedTensors pack_neighbours(const NeighbourFeatures& features);
NeighbourFeatures unpack_neighbours(const NamedTensors& tensors);

NamedTensors pack_labels(const LabelEvidence& evidence);
LabelEvidence unpack_labels(const NamedTensors& tensors);

NamedTensors pack_similar(const std::vector<SimilarRecord>& similar);
std::vector<SimilarRecord> unpack_similar(const NamedTensors& tensors);

}  // namespace athanor::distill

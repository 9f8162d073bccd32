// How many records of a pool get which defect.
#pragma once

#include <array>
#include <cstdint>

#include "distill/refine/manifest.h"
#include "distill/refine/plant.h"

namespace athanor::distill {

struct DefectCounts {
  std::array<std::int64_t, kDefectCount> of{};  // by primary kind; index = the kind's number
  std::int64_t effective = 0;                   // records that stay as they are

  std::int64_t operator[](Defect kind) const { return of[static_cast<int>(kind)]; }
  std::int64_t& operator[](Defect kind) { return of[static_cast<int>(kind)]; }
  std::int64_t copies() const {
    return (*this)[Defect::duplicate] + (*this)[Defect::near_duplicate] +
           (*this)[Defect::contradiction];
  }
};

// Counts of options.size records in all; `wanted` holds the kinds of options.defects. Families get
// their shares by largest remainder, kinds theirs alike.
DefectCounts count_defects(const PlantOptions& options, const DefectSet& wanted);

}  // namespace athanor::distill

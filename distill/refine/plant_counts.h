// How many records of a pool get which defect.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "distill/refine/manifest.h"
#include "distill/refine/plant.h"
#include "tensor/random.h"

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

inline constexpr double kDay = 86400;        // seconds
inline constexpr double kOldShare = 2. / 3;  // of the stale records are old, the others fresh
inline constexpr double kCleanCopies = .85;  // of the copies are of effective records
inline constexpr double kOverlapShare = .1;  // of broken ones and copies are mislabelled, too

void shuffle(std::vector<std::int64_t>& rows, Generator& random);

}  // namespace athanor::distill

// Pictures of a table that are a set of one kind of small images, as IDX files hold them: what is
// known of such sets is asked of them, too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "distill/refine/look.h"
#include "tensor/tensor.h"

namespace athanor::distill {

struct PictureSet {
  Tensor images;                    // u8 [members, H, W], their own grey levels; or undefined
  std::vector<std::int64_t> place;  // [records] index in `images`, -1 = no member; empty: no set
  bool dark_ground = false;         // the checks of the ground were applied
  std::string note;                 // which of this is so and why, for a person

  bool has(std::int64_t record) const { return !place.empty() && place[record] >= 0; }
};

// Takes Look::pixels out of `looks`, one a record. There is a set where there are at least 50
// pictures and 95% of them have one size of 8 to kSmallSide pixels a side; pictures of that size
// are its members. It has a dark ground where 95% of the members have no colour and 80% of these
// are dark at border and corners (SurfaceLimits). The members without colour are then checked
// (check_surface) for a ground that is not (LookFault::foreign_ground) and, where 80% of them have
// none, for a block over the object (missing_block): what more than a fifth of a set has is how the
// set is and no fault.
PictureSet picture_set(std::vector<Look>& looks);

}  // namespace athanor::distill

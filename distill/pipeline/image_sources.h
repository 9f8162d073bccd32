// What `athanor refine` reads of images: the pool, in one or more parts, and verified images.
#pragma once

#include <filesystem>
#include <vector>

#include "data/image_set.h"

namespace athanor::distill {

struct ImageFiles {
  std::filesystem::path images, labels;  // IDX u8 [N, H, W] and [N]
};

// The parts behind each other. Errors are those of load_image_set, and bad_input for a part whose
// images are of another size than the first one's.
data::ImageSet load_image_parts(const std::vector<ImageFiles>& parts);

// Images whose labels somebody vouches for, beside a pool whose labels nobody does.
struct TrustedImages {
  data::ImageSet set;
  std::vector<std::int64_t> row;  // of the pool, first one with the same pixels; -1 = none
  // [pool + set]: the class that is vouched for, -1 = none; of the pool's images those with the
  // pixels of a verified one.
  std::vector<std::int64_t> truth;

  std::int64_t overlap() const;  // verified images that the pool has, too
};
// Errors are those of load_image_set, and bad_input, naming file and image: images of another size
// than the pool's, a label that no image of the pool has, two labels for the same pixels.
TrustedImages read_trusted_images(const ImageFiles& files, const data::ImageSet& pool);

}  // namespace athanor::distill

// Feature 8, surface validity of images: cheap heuristics that need no model.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::distill {

// Limits on an image with values in [0, 1]; lengths are in units of side / 28.
struct SurfaceLimits {
  double noise = .60;     // median |4-neighbour Laplacian| at most this
  double border = .20;    // mean of the border pixels at most this
  double corner = .06;    // mean of the four corners at most this
  double hole = 14;       // side of the largest dark square that ends in the middle at most this
  double contrast = .02;  // standard deviation at least this
  // Also missing: a square of exactly `hole`, zero throughout, that the object ends at abruptly: on
  // one side more than half of the pixels next to it are brighter than 60/255.
  bool edges = false;
};

struct SurfaceStatistics {
  double noise, border, corner, hole, contrast;
};

enum class SurfaceFault : std::uint8_t { none, missing, noise, out_of_domain };

struct SurfaceValidity {
  std::vector<double> share;        // [N] checks passed / checks applied
  std::vector<SurfaceFault> fault;  // [N] none: valid. The first failure of: hole or contrast
                                    // (missing), noise, border or corner (out_of_domain)
  std::vector<SurfaceStatistics> statistics;  // [N]

  bool valid(std::int64_t row) const { return fault[row] == SurfaceFault::none; }
};

// `images` u8 [N, H, W] with H, W >= 8. A square is dark when all its pixels are below 10/255; it
// ends in the middle when its lower right corner lies in rows and columns 8/28 to 22/28. The limits
// suit objects on a dark ground; for others give wider ones.
SurfaceValidity check_surface(const Tensor& images, const SurfaceLimits& limits = {});

}  // namespace athanor::distill

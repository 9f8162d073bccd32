// Stage 1 as a product on labelled images: what `athanor refine` does with IDX files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "distill/pipeline/image_sources.h"
#include "distill/pipeline/out_of_fold.h"
#include "distill/pipeline/refine_stage.h"
#include "distill/refine/plant.h"

namespace athanor::distill {

struct ImageRefineOptions {
  std::vector<ImageFiles> parts;  // N images in all, behind each other
  // .npy f64, seconds since 1970, [N] in all; none = no stamps.
  std::vector<std::filesystem::path> times;
  std::filesystem::path
      probabilities;  // .npy [N, classes], out-of-fold; "" = small CNNs learn them
  // .npy [N, d] in all; none = 7 x 7 block means of the pixels.
  std::vector<std::filesystem::path> embeddings;
  // Verified images: the CNNs learn from them, and the pool's images of the same pixels have their
  // class for sure. They are no part of the results.
  std::optional<ImageFiles> trusted;
  // Directory of a finished refinement of the first images, whose verdicts stay; "" = none.
  std::filesystem::path extend;
  Selection selection;
  OutOfFoldOptions trust;
  std::filesystem::path out;
  StopRequest stop;
  double least_stage_seconds = 1;  // a fold that took less is not kept for a run after a kill
};

// Writes into `out` (created): scores.csv with a reason for each dropped image, summary.json,
// golden-images-idx3-ubyte and golden-labels-idx1-ubyte, the same for dropped ones,
// state.safetensors, and the proxies' log. Until it is done, the answers of each fold are kept in
// unfinished/: the same call after a kill takes them over and writes the same bytes (but for the
// log and the time taken). Height and width must be multiples of 4 unless probabilities are given.
// Errors are those of load_image_parts, read_trusted_images and load_image_state, bad_input for
// arrays of another shape, and usage for verified images beside probabilities, which would teach
// nobody, and for an extension into the directory that it goes on from.
RefineStageResult refine_images(const ImageRefineOptions& options, ProgressSink& progress);

// Plants defects (plant.h) in IDX files and writes pool-images-idx3-ubyte, pool-labels-idx1-ubyte,
// times.npy, trusted-images-idx3-ubyte and trusted-labels-idx1-ubyte, and, apart from the data,
// manifest/manifest.csv. Where more clean images are given than the pool needs, they are drawn by
// seed. Returns the pool.
PlantedPool plant_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                         PlantOptions options, const std::filesystem::path& out);

}  // namespace athanor::distill

#include "distill/pipeline/image_refine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/batches.h"
#include "data/idx.h"
#include "data/image_set.h"
#include "distill/pipeline/pool_data.h"
#include "distill/refine/surface.h"
#include "distill/refine/uniqueness.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

// As the main job's: half a teacher's width, a quarter of the arithmetic.
const std::vector<std::int64_t> kProxyChannels = {16, 32};
// The main job's limits, and blocks of just their size by their edges.
constexpr SurfaceLimits kLimits = {.edges = true};
constexpr std::int64_t kBlockMeans = 7;  // block means a side

Tensor load_rows(const std::filesystem::path& path, std::int64_t rows, std::int64_t rank) {
  Tensor array = load_npy(path);
  if (array.rank() != rank || array.size(0) != rows) {
    raise(ErrorKind::bad_input, path.string(), ": expected one row for each of ", rows,
          " images, found ", describe(array));
  }
  return contiguous(array);
}

// f32 [N, 49]: where no embeddings are given, pictures are neighbours that look alike.
Tensor block_means(const Tensor& images) {
  const std::int64_t N = images.size(0), H = images.size(1), W = images.size(2);
  Tensor means = zeros({N, kBlockMeans * kBlockMeans});
  const auto* pixels = images.data<std::uint8_t>();
  for (std::int64_t i = 0; i < N; ++i) {
    float* out = means.data<float>() + i * kBlockMeans * kBlockMeans;
    for (std::int64_t a = 0; a < kBlockMeans; ++a) {
      for (std::int64_t b = 0; b < kBlockMeans; ++b) {
        const std::int64_t y0 = a * H / kBlockMeans, y1 = (a + 1) * H / kBlockMeans;
        const std::int64_t x0 = b * W / kBlockMeans, x1 = (b + 1) * W / kBlockMeans;
        double sum = 0;
        for (std::int64_t y = y0; y < y1; ++y) {
          for (std::int64_t x = x0; x < x1; ++x) sum += pixels[(i * H + y) * W + x];
        }
        out[a * kBlockMeans + b] =
            static_cast<float>(sum / static_cast<double>((y1 - y0) * (x1 - x0)) / 255);
      }
    }
  }
  return means;
}

Tensor proxy_probabilities(const data::ImageSet& set, const ImageRefineOptions& o,
                           StageStore& stages, ProgressSink& progress) {
  nn::ModelSpec proxy = image_model_spec(set, "cnn", {});
  proxy.channels = kProxyChannels;
  const SurfaceValidity surface = check_surface(set.images, kLimits);
  std::vector<std::int64_t> learn;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    if (surface.valid(i)) learn.push_back(i);
  }
  RunLog log(o.out, stages.resumes() ? RunLog::Mode::resume : RunLog::Mode::fresh);
  return out_of_fold_probabilities(proxy, inputs_of(set.images, iota(set.size())), set.labels,
                                   find_image_duplicates(set.images).group, learn, o.trust, stages,
                                   log, progress, o.stop);
}

void write_set(const std::filesystem::path& out, const char* name, const Tensor& images,
               const Tensor& labels, const std::vector<std::int64_t>& rows) {
  write_file_atomically(out / str(name, "-images-idx3-ubyte"),
                        data::encode_idx(data::gather_rows(images, rows)));
  write_file_atomically(out / str(name, "-labels-idx1-ubyte"),
                        data::encode_idx(cast(data::gather_rows(labels, rows), DType::u8)));
}

}  // namespace

RefineStageResult refine_images(const ImageRefineOptions& o, ProgressSink& progress) {
  const data::ImageSet set = data::load_image_set(o.images, o.labels);
  const std::int64_t N = set.size();
  std::error_code error;
  std::filesystem::create_directories(o.out, error);
  if (error) raise(ErrorKind::runtime, o.out.string(), ": cannot be created: ", error.message());
  const StageInputs inputs = {{"the program", fingerprint_of_program()},
                              {"the images", fingerprint_of_file(o.images)},
                              {"the labels", fingerprint_of_file(o.labels)},
                              {"--seed", str(o.trust.seed)}};
  StageStore stages(o.out / "unfinished", inputs, progress, o.least_stage_seconds);
  RefineStageInput in;
  in.images = set.images;
  in.surface = kLimits;
  in.labels = set.labels;
  in.seed = o.trust.seed;
  if (!o.times.empty()) {
    in.times = cast(load_rows(o.times, N, 1), DType::f64).to_vector<double>();
    in.reference_time = -std::numeric_limits<double>::infinity();
    for (const double t : in.times) {
      if (!std::isnan(t)) in.reference_time = std::max(in.reference_time, t);
    }
    in.noise_by_time = true;
  }
  in.embeddings = o.embeddings.empty() ? block_means(set.images)
                                       : cast(load_rows(o.embeddings, N, 2), DType::f32);
  if (o.probabilities.empty()) {
    in.probabilities = proxy_probabilities(set, o, stages, progress);
  } else {
    in.probabilities = load_rows(o.probabilities, N, 2);
    if (in.probabilities.size(1) != set.classes()) {
      raise(ErrorKind::bad_input, o.probabilities.string(), ": expected ", set.classes(),
            " classes, found ", in.probabilities.size(1));
    }
  }
  RefineStageResult result = refine_stage(in, o.selection);
  write_refine_stage(o.out, result);
  std::vector<std::int64_t> dropped;
  for (std::int64_t i = 0; i < N; ++i) {
    if (!result.keep[i]) dropped.push_back(i);
  }
  write_set(o.out, "golden", set.images, set.labels, result.kept);
  write_set(o.out, "dropped", set.images, set.labels, dropped);
  stages.finish();
  return result;
}

PlantedPool plant_images(const std::filesystem::path& images, const std::filesystem::path& labels,
                         PlantOptions options, const std::filesystem::path& out) {
  const data::ImageSet set = data::load_image_set(images, labels);
  if (options.size == 0) options.size = set.size();
  options.classes = set.classes();
  Generator generator = Generator(options.seed).fork(2);
  auto rows = random_permutation(set.size(), generator).to_vector<std::int64_t>();
  rows.resize(static_cast<std::size_t>(std::min(options.size, set.size())));
  const Tensor clean = data::gather_rows(set.images, rows);
  const Tensor right = data::gather_rows(set.labels, rows);
  PlantedPool pool = plant_defects(clean, right, options);
  std::filesystem::create_directories(out / "manifest");
  write_set(out, "pool", pool.images, pool.labels, iota(pool.images.size(0)));
  if (!pool.trusted.empty()) write_set(out, "trusted", clean, right, pool.trusted);
  save_npy(out / "times.npy", from_values(pool.times, {std::ssize(pool.times)}));
  write_manifest_csv(out / "manifest" / "manifest.csv", pool.manifest);
  return pool;
}

}  // namespace athanor::distill

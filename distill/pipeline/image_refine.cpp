#include "distill/pipeline/image_refine.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/batches.h"
#include "data/idx.h"
#include "data/image_set.h"
#include "distill/pipeline/image_state.h"
#include "distill/pipeline/pool_data.h"
#include "distill/refine/look.h"
#include "distill/refine/surface.h"
#include "distill/refine/table_arrays.h"
#include "distill/refine/uniqueness.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"
#include "tensor/random.h"

namespace athanor::distill {
namespace {

// The main job's limits, and blocks of just their size by their edges.
constexpr SurfaceLimits kLimits = {.edges = true};

// Stamps of all parts; empty where none are given.
std::vector<double> load_times(const std::vector<std::filesystem::path>& files,
                               std::int64_t images) {
  std::vector<double> times;
  for (const std::filesystem::path& path : files) {
    const Tensor part = load_npy(path);
    if (part.rank() != 1) {
      raise(ErrorKind::bad_input, path.string(), ": expected one number for each of ", images,
            " images, found ", describe(part));
    }
    const auto values = cast(contiguous(part), DType::f64).to_vector<double>();
    times.insert(times.end(), values.begin(), values.end());
  }
  if (!files.empty() && std::ssize(times) != images) {
    raise(ErrorKind::bad_input, files.back().string(), ": expected one number for each of ", images,
          " images in all, found ", times.size());
  }
  return times;
}

// Settings that verdicts follow from, by the names that a user knows them by.
StageInputs judging_settings(const ImageRefineOptions& o) {
  return {{"--seed", str(o.trust.seed)},
          {"whether --time is given", str(!o.times.empty())},
          {"whether --embeddings are given", str(!o.embeddings.empty())},
          {"whether --probabilities are given", str(!o.probabilities.empty())}};
}

// All that the folds' answers follow from.
StageInputs stage_inputs(const ImageRefineOptions& o) {
  std::string images, labels;
  for (const ImageFiles& part : o.parts) {
    images += fingerprint_of_file(part.images);
    labels += fingerprint_of_file(part.labels);
  }
  StageInputs inputs = {{"the program", fingerprint_of_program()},
                        {"the images", images},
                        {"the labels", labels},
                        {"--seed", str(o.trust.seed)}};
  if (o.trusted) {
    inputs["--trusted"] =
        fingerprint_of_file(o.trusted->images) + fingerprint_of_file(o.trusted->labels);
  }
  if (!o.extend.empty()) inputs["--extend"] = fingerprint_of_file(o.extend / "state.safetensors");
  return inputs;
}

void check_options(const ImageRefineOptions& o) {
  if (o.trusted && !o.probabilities.empty()) {
    raise(ErrorKind::usage, "--trusted: expected no --probabilities, got both; verified images ",
          "teach the models that these stand for");
  }
  std::error_code ignored;
  if (!o.extend.empty() && std::filesystem::equivalent(o.extend, o.out, ignored)) {
    raise(ErrorKind::usage, "--extend: expected another directory than --out, got ",
          o.out.string());
  }
}

// Class probabilities f64 [N, K] of each image from models that did not learn its label.
Tensor probabilities_of(const data::ImageSet& set, const ImageRefineOptions& o,
                        const TrustedImages* trusted, const EarlierImages* earlier,
                        const DuplicateGroups& copies, StageStore& stages, ProgressSink& progress) {
  const std::int64_t N = set.size();
  if (!o.probabilities.empty()) {
    Tensor p = load_npy(o.probabilities);
    if (p.rank() != 2 || p.size(0) != N || p.size(1) != set.classes()) {
      raise(ErrorKind::bad_input, o.probabilities.string(), ": expected an array [", N, ", ",
            set.classes(), "], one row for each of ", N, " images, found ", describe(p));
    }
    p = contiguous(cast(p, DType::f64));
    if (earlier == nullptr) return p;
    const std::int64_t first = earlier->probabilities.size(0);
    return cat(std::vector<Tensor>{earlier->probabilities, slice(p, 0, first, N)}, 0);
  }
  nn::ModelSpec proxy = image_model_spec(set, "cnn", {});
  if (earlier != nullptr) proxy.classes = earlier->probabilities.size(1);
  proxy.channels = kProxyChannels;
  ProxyPool pool{inputs_of(set.images, iota(N)), set.labels, copies.group, {}, {}};
  const SurfaceValidity surface = check_surface(set.images, kLimits);
  for (std::int64_t i = 0; i < N; ++i) {
    if (surface.valid(i)) pool.learn.push_back(i);
  }
  if (trusted != nullptr) {
    const Tensor more = inputs_of(trusted->set.images, iota(trusted->set.size()));
    pool.inputs = cat(std::vector<Tensor>{pool.inputs, more}, 0);
    pool.labels = contiguous(cat(std::vector<Tensor>{pool.labels, trusted->set.labels}, 0));
    pool.truth = trusted->truth;
  }
  RunLog log(o.out, stages.resumes() ? RunLog::Mode::resume : RunLog::Mode::fresh);
  if (earlier == nullptr) {
    return out_of_fold_probabilities(proxy, pool, o.trust, stages, log, progress, o.stop);
  }
  const Tensor p = probabilities_of_new(proxy, pool, earlier->probabilities, o.trust, stages, log,
                                        progress, o.stop);
  return cat(std::vector<Tensor>{earlier->probabilities, p}, 0);
}

// What there is to say of verified images and an earlier run.
void add_notes(const TrustedImages* trusted, const EarlierImages* earlier, std::int64_t N,
               RefineStageResult& r) {
  if (trusted != nullptr) {
    const std::int64_t overlap = trusted->overlap();
    r.counts.emplace_back("trusted_records", trusted->set.size());
    r.counts.emplace_back("trusted_overlap", overlap);
    std::string note = str("trusted: ", trusted->set.size(), " verified images beside the pool");
    if (overlap > 0) {
      const auto row = std::find_if(trusted->row.begin(), trusted->row.end(),
                                    [](std::int64_t i) { return i >= 0; });
      note += str("; ", overlap, " of them have the pixels of images of the pool (first: row ",
                  *row, "), whose labels they settle");
    }
    r.notes.push_back(note);
  }
  if (earlier != nullptr) {
    const std::int64_t first = std::ssize(earlier->verdicts.keep);
    r.counts.emplace_back("earlier_records", first);
    r.notes.push_back(str("extend: ", first, " images were judged before, ", N - first,
                          " are new; --threshold, --retention and --budget speak of these alone"));
  }
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
  check_options(o);
  const data::ImageSet set = load_image_parts(o.parts);
  const std::int64_t N = set.size();
  RefineStageInput in;
  in.times = load_times(o.times, N);
  std::optional<TrustedImages> trusted;
  if (o.trusted) trusted = read_trusted_images(*o.trusted, set);
  std::optional<EarlierImages> earlier;
  if (!o.extend.empty()) {
    earlier = load_image_state(o.extend, set, in.times, judging_settings(o));
    in.earlier = &earlier->verdicts;
  }
  std::error_code error;
  std::filesystem::create_directories(o.out, error);
  if (error) raise(ErrorKind::runtime, o.out.string(), ": cannot be created: ", error.message());
  StageStore stages(o.out / "unfinished", stage_inputs(o), progress, o.least_stage_seconds);
  in.images = set.images;
  in.surface = kLimits;
  in.labels = set.labels;
  in.seed = o.trust.seed;
  if (!in.times.empty()) {
    in.reference_time = -std::numeric_limits<double>::infinity();
    for (const double t : in.times) {
      if (!std::isnan(t)) in.reference_time = std::max(in.reference_time, t);
    }
    in.noise_by_time = true;
  }
  in.embeddings = o.embeddings.empty() ? block_means(set.images) : load_vectors(o.embeddings, N);
  in.copies = find_image_duplicates(set.images);
  in.probabilities = probabilities_of(set, o, trusted ? &*trusted : nullptr,
                                      earlier ? &*earlier : nullptr, in.copies, stages, progress);
  RefineStageResult result = refine_stage(in, o.selection);
  add_notes(trusted ? &*trusted : nullptr, earlier ? &*earlier : nullptr, N, result);
  write_refine_stage(o.out, result);
  std::vector<std::int64_t> dropped;
  for (std::int64_t i = 0; i < N; ++i) {
    if (!result.keep[i]) dropped.push_back(i);
  }
  write_set(o.out, "golden", set.images, set.labels, result.kept);
  write_set(o.out, "dropped", set.images, set.labels, dropped);
  save_image_state(o.out, set, in.times, in.probabilities, judging_settings(o));
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

#include "distill/pipeline/image_state.h"

#include <string_view>

#include "distill/refine/feature_values.h"
#include "distill/refine/scores_reader.h"
#include "tensor/base/error.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr const char* kFormat = "images-1";  // of state.safetensors
constexpr std::size_t kBeforeColumns = 5;    // row, id, keep, reason, score

std::string fingerprint_of_values(const auto* values, std::int64_t count) {
  return fingerprint_of(
      {reinterpret_cast<const char*>(values), static_cast<std::size_t>(count) * sizeof *values});
}

// What the first n images are: pixels, labels, stamps.
std::string fingerprint_of_images(const data::ImageSet& set, const std::vector<double>& times,
                                  std::int64_t n) {
  const std::int64_t pixels = set.images.numel() / set.size();
  std::string all = fingerprint_of_values(set.images.data<std::uint8_t>(), n * pixels) +
                    fingerprint_of_values(set.labels.data<std::int64_t>(), n);
  if (!times.empty()) all += fingerprint_of_values(times.data(), n);
  return fingerprint_of(str(set.images.size(1), " ", all));
}

RefineStageResult read_verdicts(const std::filesystem::path& path) {
  ScoresReader scores(path);
  const auto& columns = scores.file().columns();
  RefineStageResult r;
  const std::vector<std::string> begin = {"row", "id", "keep", "reason", "score"};
  if (columns.size() <= kBeforeColumns ||
      !std::equal(begin.begin(), begin.end(), columns.begin())) {
    scores.refuse_header();
  }
  r.names.assign(columns.begin() + kBeforeColumns, columns.end());
  r.columns.resize(r.names.size());
  while (scores.next()) {
    r.keep.push_back(scores.kept());
    r.reason.emplace_back(scores.reason());
    r.score.push_back(scores.score());
    for (std::size_t k = 0; k < r.names.size(); ++k) {
      r.columns[k].push_back(scores.number(kBeforeColumns + k));
    }
  }
  return r;
}

}  // namespace

void save_image_state(const std::filesystem::path& out, const data::ImageSet& set,
                      const std::vector<double>& times, const Tensor& probabilities,
                      StageInputs settings) {
  settings["format"] = kFormat;
  settings["records"] = str(set.size());
  settings["fingerprint"] = fingerprint_of_images(set, times, set.size());
  save_safetensors(out / "state.safetensors", {{"p", probabilities}}, settings);
}

EarlierImages load_image_state(const std::filesystem::path& directory, const data::ImageSet& set,
                               const std::vector<double>& times, const StageInputs& settings) {
  const std::string file = (directory / "state.safetensors").string();
  const auto [tensors, state] = load_safetensors(file);
  const auto said = [&](const char* key) {
    const auto it = state.find(key);
    return it != state.end() ? it->second : "none";
  };
  if (said("format") != kFormat || !tensors.contains("p")) {
    raise(ErrorKind::bad_input, file, ": expected the state of a refinement of images (format ",
          kFormat, "), found ", said("format"));
  }
  for (const auto& [name, value] : settings) {
    const auto it = state.find(name);
    if (it != state.end() && it->second == value) continue;
    raise(ErrorKind::usage, "--extend: expected the settings of ", directory.string(), ", ", name,
          " is another");
  }
  EarlierImages earlier{read_verdicts(directory / "scores.csv"), tensors.at("p")};
  const std::int64_t n = std::ssize(earlier.verdicts.keep);
  const Tensor& p = earlier.probabilities;
  if (str(n) != said("records") || p.rank() != 2 || p.size(0) != n || p.dtype() != DType::f64) {
    raise(ErrorKind::bad_input, directory.string(), ": state.safetensors speaks of ",
          said("records"), " records, scores.csv of ", n);
  }
  if (set.size() <= n) {
    raise(ErrorKind::bad_input, "--extend: expected more than the ", n, " images of ",
          directory.string(), ", found ", set.size());
  }
  if (fingerprint_of_images(set, times, n) != said("fingerprint")) {
    raise(ErrorKind::bad_input, "--extend: expected the input to begin with the ", n, " images of ",
          directory.string(), ", their labels and times, in their order; found others");
  }
  if (set.classes() > p.size(1)) {
    raise(ErrorKind::bad_input, "--extend: expected labels below ", p.size(1), ", which ",
          directory.string(), " knows, found ", set.classes() - 1,
          "; a new class takes a run over all images");
  }
  return earlier;
}

}  // namespace athanor::distill

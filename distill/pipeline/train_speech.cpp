// athanor train on spoken words: a picture of each recording over time and frequency, classified.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "autograd/ops.h"
#include "data/audio.h"
#include "data/batch_order.h"
#include "data/batches.h"
#include "data/spectrogram.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/summary.h"
#include "distill/pipeline/train_job.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

constexpr std::int64_t kMelBands = 40, kFrames = 64;
constexpr std::int64_t kHeldOut = 5;     // recordings of each word and speaker, the first ones
constexpr std::int64_t kTimeShift = 8;   // frames: augmentation moves by up to so many,
constexpr std::int64_t kBandShift = 2;   // and by so many bands
const float kSilence = std::log(1e-6f);  // what log_mel() gives without energy

struct Recording {
  std::filesystem::path path;
  std::string word, speaker;
  std::int64_t number = 0;
};

// word_speaker_number.wav
Recording parse_name(const std::filesystem::path& path) {
  const std::string name = path.stem().string();
  const std::size_t first = name.find('_'), last = name.rfind('_');
  Recording r;
  r.path = path;
  if (first != std::string::npos && first < last) {
    r.word = name.substr(0, first);
    r.speaker = name.substr(first + 1, last - first - 1);
    const std::string digits = name.substr(last + 1);
    const char* end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, r.number);
    if (error == std::errc() && at == end && r.number >= 0 && !r.word.empty()) return r;
  }
  raise(ErrorKind::bad_input, path.string(), ": expected a name word_speaker_number.wav");
}

std::vector<Recording> list_recordings(const std::filesystem::path& directory) {
  if (!std::filesystem::is_directory(directory)) {
    raise(ErrorKind::bad_input, directory.string(), ": expected a directory of .wav files");
  }
  std::vector<Recording> all;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".wav") all.push_back(parse_name(entry.path()));
  }
  std::sort(all.begin(), all.end(),
            [](const Recording& a, const Recording& b) { return a.path < b.path; });
  if (all.empty()) {
    raise(ErrorKind::bad_input, directory.string(), ": expected .wav files, found none");
  }
  return all;
}

// Windows of 32 ms every 16 ms: [kMelBands, kFrames], cut or filled with silence at the end.
void fill_picture(const Recording& recording, float* out) {
  const data::Sound sound = data::load_sound(recording.path);
  data::MelOptions options;
  options.rate = sound.rate;
  options.bands = kMelBands;
  options.stft.window = sound.rate * 32 / 1000 / 2 * 2;
  options.stft.hop = options.stft.window / 2;
  options.stft.centre = false;
  Tensor samples = data::mono(sound.samples);
  const std::int64_t missing = options.stft.window - samples.numel();
  if (missing > 0) samples = pad(samples, {{0, missing}});
  const Tensor picture = contiguous(data::log_mel(samples, options));
  const std::int64_t frames = std::min(picture.size(1), kFrames);
  for (std::int64_t band = 0; band < kMelBands; ++band, out += kFrames) {
    std::copy_n(picture.data<float>() + band * picture.size(1), frames, out);
    std::fill(out + frames, out + kFrames, kSilence);
  }
}

// Each picture [N, 1, bands, frames] moved along both axes, silence where nothing moves in.
Tensor moved(const Tensor& pictures, float silence, Generator& generator) {
  Tensor out = full(pictures.shape(), silence);
  const float* from = pictures.data<float>();
  float* to = out.data<float>();
  for (std::int64_t i = 0; i < pictures.size(0); ++i) {
    const std::int64_t dt = generator.next_below(2 * kTimeShift + 1) - kTimeShift;
    const std::int64_t db = generator.next_below(2 * kBandShift + 1) - kBandShift;
    for (std::int64_t b = std::max<std::int64_t>(0, db); b < std::min(kMelBands, kMelBands + db);
         ++b) {
      std::copy_n(from + (b - db) * kFrames + std::max<std::int64_t>(0, -dt),
                  kFrames - std::abs(dt), to + b * kFrames + std::max<std::int64_t>(0, dt));
    }
    from += kMelBands * kFrames;
    to += kMelBands * kFrames;
  }
  return out;
}

struct SpeechData {
  Tensor pictures;  // f32 [N, 1, bands, frames], normalised by the training part
  Tensor labels;    // i64 [N]
  std::vector<std::int64_t> train, held_out;
  std::vector<std::string> words;
  double mean = 0, stddev = 1;
};

SpeechData load_speech(const Recipe& recipe) {
  const std::vector<Recording> recordings = list_recordings(recipe.data.dir);
  SpeechData set;
  for (const Recording& r : recordings) set.words.push_back(r.word);
  std::sort(set.words.begin(), set.words.end());
  set.words.erase(std::unique(set.words.begin(), set.words.end()), set.words.end());
  const auto N = static_cast<std::int64_t>(recordings.size());
  set.pictures = empty({N, 1, kMelBands, kFrames});
  std::vector<std::int64_t> labels;
  // The test part is the first recordings of each word and speaker, validation the next ones.
  const bool test = recipe.evaluate.split == "test";
  for (std::int64_t i = 0; i < N; ++i) {
    const Recording& r = recordings[static_cast<std::size_t>(i)];
    fill_picture(r, set.pictures.data<float>() + i * kMelBands * kFrames);
    labels.push_back(std::lower_bound(set.words.begin(), set.words.end(), r.word) -
                     set.words.begin());
    if (r.number >= 2 * kHeldOut || (test && r.number >= kHeldOut)) {
      set.train.push_back(i);
    } else if ((r.number < kHeldOut) == test) {
      set.held_out.push_back(i);
    }
  }
  set.labels = from_values(labels, {N});
  if (set.train.empty() || set.held_out.empty()) {
    raise(ErrorKind::bad_input, recipe.data.dir,
          ": expected recordings numbered from 0, some >= ", 2 * kHeldOut);
  }
  const Tensor train = data::gather_rows(set.pictures, set.train);
  set.mean = mean(train).item();
  set.stddev = std::sqrt(mean(square(sub(train, scalar(set.mean)))).item());
  set.pictures = mul(sub(set.pictures, scalar(set.mean)), 1 / set.stddev);
  return set;
}

}  // namespace

nlohmann::json train_speech(TrainJob& job) {
  const Recipe& recipe = job.recipe;
  const SpeechData set = load_speech(recipe);
  job.begin();
  Generator weights = Generator(recipe.seed).fork(1), moves = Generator(recipe.seed).fork(2);
  nn::ModelSpec spec;
  spec.model = recipe.student.model;
  spec.input = {1, kMelBands, kFrames};
  spec.hidden = recipe.student.hidden;
  set_student(recipe, spec);
  spec.classes = static_cast<std::int64_t>(set.words.size());
  spec.class_names = set.words;
  spec.mean = set.mean;
  spec.stddev = set.stddev;
  nn::Classifier model(spec, weights);
  std::vector<nn::ParameterGroup> groups(1);
  groups[0].parameters = model.parameters();
  const auto optimizer = make_optimizer(recipe, std::move(groups));
  const auto count = static_cast<std::int64_t>(set.train.size());
  data::BatchOrder batches(count, {std::min(recipe.train.batch, count), recipe.seed, true, true});
  const TrainPlan plan = plan_epochs(recipe, batches);
  const float silence = static_cast<float>((kSilence - set.mean) / set.stddev);
  run_training(job, model, *optimizer, plan, [&](std::int64_t, std::int64_t) {
    std::vector<std::int64_t> rows = batches.next();
    for (std::int64_t& row : rows) row = set.train[static_cast<std::size_t>(row)];
    const Tensor x = moved(data::gather_rows(set.pictures, rows), silence, moves);
    return cross_entropy(model.forward(Variable(x)), data::gather_rows(set.labels, rows),
                         Variable(), recipe.train.label_smoothing);
  });
  nn::save_classifier(job.options.out / "model.safetensors", model);
  return {{"model", score_model(model, data::gather_rows(set.pictures, set.held_out),
                                data::gather_rows(set.labels, set.held_out))},
          {"evaluated_on", {{"split", recipe.evaluate.split}, {"records", set.held_out.size()}}},
          {"data",
           {{"train", set.train.size()},
            {"test", recipe.evaluate.split == "test" ? set.held_out.size() : 0}}},
          {"classes", set.words}};
}

}  // namespace athanor::distill

// athanor train on a text: a language model over its bytes, and what it writes.
#include <algorithm>
#include <cmath>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "distill/pipeline/train_job.h"
#include "nn/gpt_file.h"
#include "nn/metrics.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/mapped_file.h"

namespace athanor::distill {
namespace {

constexpr int kEvaluations = 10;  // in one training, at least
constexpr std::int64_t kSamples = 3;
constexpr double kSampleTemperature = 0.8;

std::string read_text(const std::filesystem::path& path) {
  const MappedFile file(std::filesystem::is_directory(path) ? path / "input.txt" : path);
  const std::span<const std::byte> bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Rows of `length` tokens that begin at `starts`, i64 [starts.size(), length].
Tensor token_windows(const std::vector<std::int64_t>& tokens,
                     const std::vector<std::int64_t>& starts, std::int64_t length) {
  Tensor rows = empty({static_cast<std::int64_t>(starts.size()), length}, DType::i64);
  std::int64_t* out = rows.data<std::int64_t>();
  for (const std::int64_t start : starts) out = std::copy_n(tokens.data() + start, length, out);
  return rows;
}

// Mean loss of predicting tokens 1 ... L from those before, for rows of L + 1 tokens.
Variable loss_of(nn::Gpt& gpt, const Tensor& rows, double label_smoothing) {
  const std::int64_t L = rows.size(1) - 1;
  const Variable logits = gpt.forward(Variable(slice(rows, 1, 0, L)));
  const Tensor targets = reshape(slice(rows, 1, 1, L + 1), {-1});
  return cross_entropy(reshape(logits, {targets.numel(), -1}), targets, Variable(),
                       label_smoothing);
}

class CharacterTraining {
 public:
  explicit CharacterTraining(TrainJob& job) : job_(job), L_(job.recipe.student.context) {
    const std::string text = read_text(job.recipe.data.dir);
    model_.vocabulary = nn::ByteVocabulary(text);
    // The last tenth is held out.
    const std::size_t cut = text.size() - text.size() / 10;
    train_ = model_.vocabulary.encode(std::string_view(text).substr(0, cut));
    held_out_ = model_.vocabulary.encode(std::string_view(text).substr(cut));
    if (static_cast<std::int64_t>(held_out_.size()) < L_ + 1) {
      raise(ErrorKind::bad_input, job.recipe.data.dir, ": expected a text of at least ",
            10 * (L_ + 1), " bytes for this context, found ", text.size());
    }
  }

  nlohmann::json run() {
    job_.begin();
    const Recipe& r = job_.recipe;
    Generator generator = Generator(r.seed).fork(1);
    model_.gpt = std::make_shared<nn::Gpt>(config(), generator);
    nn::Gpt& gpt = *model_.gpt;
    gpt.to(job_.options.device);
    const auto optimizer = make_optimizer(r, groups());
    const auto tokens = static_cast<std::int64_t>(train_.size());
    TrainPlan plan;
    plan.steps_per_epoch = std::max<std::int64_t>(1, tokens / (r.train.batch * L_));
    plan.steps = r.train.epochs * plan.steps_per_epoch;
    plan.evaluate_every = std::max<std::int64_t>(1, plan.steps / kEvaluations);
    plan.maximize = false;
    const double reading = run_training(
        job_, gpt, *optimizer, plan,
        [&](std::int64_t step, std::int64_t part) {
          const Autocast scope(job_.options.precision);
          return loss_of(gpt, to(batch_of(step, part), job_.options.device),
                         r.train.label_smoothing);
        },
        [&] { return held_out_loss(); });
    const double loss = r.train.patience > 0 ? held_out_loss() : reading;
    gpt.to(Device{});
    nn::save_character_model(job_.options.out / "model.safetensors", model_);
    return {
        {"model",
         {{"params", gpt.parameter_count()}, {"loss", loss}, {"perplexity", nn::perplexity(loss)}}},
        {"evaluated_on", {{"split", "validation"}, {"records", held_out_.size()}}},
        {"data", {{"train", train_.size()}, {"test", 0}, {"vocabulary", model_.vocabulary.size()}}},
        {"samples", samples()}};
  }

 private:
  nn::GptConfig config() const {
    const auto& s = job_.recipe.student;
    nn::GptConfig c;
    c.vocabulary = model_.vocabulary.size();
    c.context = s.context;
    c.width = s.width;
    c.layers = s.layers;
    c.heads = s.heads;
    c.dropout = s.dropout;
    c.rotary = true;
    c.bias = false;
    c.norm = nn::NormKind::rms;
    return c;
  }

  // Tables follow the elementwise rule also under Muon; vectors do not decay.
  std::vector<nn::ParameterGroup> groups() const {
    std::vector<nn::ParameterGroup> result(3);
    result[1].elementwise = true;
    result[2].weight_decay = 0;
    for (const auto& [name, p] : model_.gpt->named_parameters()) {
      result[p.rank() < 2 ? 2 : name.starts_with("wte") ? 1 : 0].parameters.push_back(p);
    }
    return result;
  }

  // Windows at random places, which depend on seed, step and part alone.
  Tensor batch_of(std::int64_t step, std::int64_t part) const {
    const Recipe& r = job_.recipe;
    Generator places = Generator(r.seed).fork(2).fork(
        static_cast<std::uint64_t>(step * r.train.accumulate + part));
    std::vector<std::int64_t> starts;
    const auto last = static_cast<std::int64_t>(train_.size()) - L_;
    for (std::int64_t b = 0; b < r.train.batch; ++b) starts.push_back(places.next_below(last));
    return token_windows(train_, starts, L_ + 1);
  }

  // Mean over the held-out tokens, window after window.
  double held_out_loss() const {
    const NoGrad no_grad;
    double total = 0;
    std::int64_t count = 0;
    std::vector<std::int64_t> starts;
    const auto flush = [&] {
      if (starts.empty()) return;
      const auto rows = static_cast<std::int64_t>(starts.size());
      const Tensor windows = token_windows(held_out_, starts, L_ + 1);
      total += loss_of(*model_.gpt, to(windows, job_.options.device), 0).item() *
               static_cast<double>(rows);
      count += rows;
      starts.clear();
    };
    for (std::int64_t at = 0; at + L_ < static_cast<std::int64_t>(held_out_.size()); at += L_) {
      starts.push_back(at);
      if (starts.size() == 32) flush();
    }
    flush();
    return total / static_cast<double>(count);
  }

  nlohmann::json samples() const {
    Generator generator = Generator(job_.recipe.seed).fork(3);
    nn::SamplingOptions options;
    options.temperature = kSampleTemperature;
    nlohmann::json texts = nlohmann::json::array();
    std::string all;
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const std::vector<std::int64_t> prompt{held_out_[static_cast<std::size_t>(i)]};
      const std::string text =
          model_.vocabulary.decode(nn::generate(*model_.gpt, prompt, L_ - 1, options, generator));
      all += text + "\n----\n";
      texts.push_back(text);
    }
    write_file_atomically(job_.options.out / "samples.txt", all);
    return texts;
  }

  TrainJob& job_;
  std::int64_t L_;
  nn::CharacterModel model_;
  std::vector<std::int64_t> train_, held_out_;
};

}  // namespace

nlohmann::json train_characters(TrainJob& job) { return CharacterTraining(job).run(); }

}  // namespace athanor::distill

// athanor train on images: classes, with augmentation, from the labels alone and, where a teacher's
// outputs are given, from them as well.
#include <algorithm>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "autograd/ops/device.h"
#include "data/batch_order.h"
#include "data/batches.h"
#include "data/image_formats.h"
#include "distill/losses/relation.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/summary.h"
#include "distill/pipeline/train_job.h"

namespace athanor::distill {
namespace {

// Mirrors each image [N, C, H, W], with probability 1/2, left to right.
Tensor mirrored(const Tensor& images, Generator& generator) {
  const std::int64_t W = images.size(-1), rows = images.numel() / (W * images.size(0));
  Tensor out = clone(contiguous(images));
  float* row = out.data<float>();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const bool mirror = generator.next_below(2) == 1;
    for (std::int64_t r = 0; r < rows; ++r, row += W) {
      if (mirror) std::reverse(row, row + W);
    }
  }
  return out;
}

// What a teacher elsewhere said about the training records; undefined where nothing was given.
struct Advice {
  Tensor logits, embeddings;  // f32 [N, K], [N, D]
  bool given() const { return logits.defined() || embeddings.defined(); }
};

class ImageTraining {
 public:
  explicit ImageTraining(TrainJob& job) : job_(job), r_(job.recipe) {
    data_ = data::load_images(r_.data.format, r_.data.dir, {r_.data.side, {}});
    const std::int64_t N = data_.train.size(), held_out = test() ? 0 : r_.evaluate.size;
    if (held_out >= N) {
      raise(ErrorKind::usage, "evaluate.size: expected fewer than the ", N,
            " training images, got ", held_out);
    }
    // The same validation images as those of a distillation run with this seed.
    Generator split = Generator(r_.seed).fork(2);
    const auto order = random_permutation(N, split).to_vector<std::int64_t>();
    const std::vector<std::int64_t> rows(order.begin(), order.end() - held_out);
    validation_.assign(order.end() - held_out, order.end());
    inputs_ = inputs_of(data_.train.images, rows);
    labels_ = data::gather_rows(data_.train.labels, rows);
    advice_.logits = outputs("teacher.logits", r_.teacher.logits, rows, data_.train.classes());
    advice_.embeddings = outputs("teacher.embeddings", r_.teacher.embeddings, rows);
  }

  nlohmann::json run() {
    job_.begin();
    nlohmann::json table = nlohmann::json::array(), result;
    const auto add = [&](const char* name, const Advice& advice) {
      const auto model = train(name, advice);
      result = score(*model);
      nlohmann::json row = {{"name", name}};
      for (const char* key : {"accuracy", "f1", "params"}) row[key] = result.at(key);
      table.push_back(row);
      return model;
    };
    auto model = add(advice_.given() ? "student_alone" : "model", {});
    if (advice_.given()) model = add("student", advice_);
    nn::save_classifier(job_.options.out / "model.safetensors", *model);
    return {{"model", result},
            {"table", table},
            {"evaluated_on",
             {{"split", r_.evaluate.split},
              {"records", test() ? data_.test.size() : std::ssize(validation_)}}},
            {"data", {{"train", inputs_.size(0)}, {"test", data_.test.size()}}},
            {"classes", data_.train.class_names}};
  }

 private:
  bool test() const { return r_.evaluate.split == "test"; }

  // The file's rows of these training records.
  Tensor outputs(const char* key, const std::string& file, const std::vector<std::int64_t>& rows,
                 std::int64_t width = 0) const {
    if (file.empty()) return {};
    std::vector<std::string> ids = data_.train.ids;
    if (ids.empty()) ids = record_numbers(data_.train.size());
    return teacher_rows(key, file, ids, rows, width);
  }

  std::shared_ptr<nn::Classifier> train(const char* name, const Advice& advice) {
    Generator weights = Generator(r_.seed).fork(1), moves = Generator(r_.seed).fork(2);
    nn::ModelSpec spec = image_model_spec(data_.train, r_.student.model, r_.student.hidden);
    set_student(r_, spec);
    auto model = std::make_shared<nn::Classifier>(spec, weights);
    const Device device = job_.options.device;
    model->to(device);
    std::vector<nn::ParameterGroup> groups(1);
    groups[0].parameters = model->parameters();
    const auto optimizer = make_optimizer(r_, std::move(groups));
    const std::int64_t N = inputs_.size(0);
    data::BatchOrder batches(N, {std::min(r_.train.batch, N), r_.seed, true, true});
    TrainPlan plan = plan_epochs(r_, batches);
    plan.name = name;
    run_training(job_, *model, *optimizer, plan, [&](std::int64_t, std::int64_t) {
      const std::vector<std::int64_t> some = batches.next();
      Tensor x = data::gather_rows(inputs_, some);
      if (r_.train.shift > 0) x = shifted(x, r_.train.shift, moves);
      if (r_.train.flip) x = mirrored(x, moves);
      const Autocast scope(job_.options.precision);
      return loss(model->run(Variable(to(x, device))), some, advice);
    });
    model->to(Device{});
    return model;
  }

  Variable loss(const nn::Output& out, const std::vector<std::int64_t>& rows,
                const Advice& advice) const {
    const Device device = job_.options.device;
    Variable total = cross_entropy(out.logits, to(data::gather_rows(labels_, rows), device),
                                   Variable(), r_.train.label_smoothing);
    if (advice.logits.defined()) {
      const Variable teacher(to(data::gather_rows(advice.logits, rows), device));
      total = guided_loss(r_, total, out.logits, teacher);
    }
    if (advice.embeddings.defined() && r_.loss.relation > 0) {
      const Tensor relations = cosine_similarities(data::gather_rows(advice.embeddings, rows));
      total = total + cosine_relation_loss(out.features, to(relations, device)) * r_.loss.relation;
    }
    return total;
  }

  nlohmann::json score(nn::Classifier& model) const {
    if (test()) {
      return score_model(model, inputs_of(data_.test.images, iota(data_.test.size())),
                         data_.test.labels);
    }
    return score_model(model, inputs_of(data_.train.images, validation_),
                       data::gather_rows(data_.train.labels, validation_));
  }

  TrainJob& job_;
  const Recipe& r_;
  data::ImageData data_;
  std::vector<std::int64_t> validation_;  // training records held back
  Tensor inputs_, labels_;                // of the others
  Advice advice_;
};

}  // namespace

nlohmann::json train_images(TrainJob& job) { return ImageTraining(job).run(); }

}  // namespace athanor::distill

// athanor train on texts with classes: a pretrained BERT encoder is fine-tuned, or a small network
// learns from the labels alone and, where there is a teacher, from the teacher beside them.
#include <algorithm>
#include <filesystem>
#include <numeric>

#include "autograd/autocast.h"
#include "autograd/ops.h"
#include "data/batch_order.h"
#include "data/batches.h"
#include "distill/pipeline/pool_data.h"
#include "distill/pipeline/text_set.h"
#include "distill/pipeline/train_job.h"
#include "distill/pretrained/bert_files.h"
#include "nn/metrics.h"
#include "nn/text_cnn.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/safetensors.h"

namespace athanor::distill {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kValidation = 2000;  // training texts that the validation split holds back
constexpr std::int64_t kScoredAtOnce = 64;

// A classifier of token batches.
class TextNet : public nn::Module {
 public:
  virtual Variable logits(const TokenBatch& batch) = 0;
};

class BertClassifier final : public TextNet {
 public:
  BertClassifier(std::shared_ptr<nn::Bert> bert, std::int64_t classes, Generator& generator)
      : bert_(register_module("bert", std::move(bert))),
        dropout_(register_module("dropout", std::make_shared<nn::Dropout>(
                                                bert_->config().hidden_dropout_prob, generator))),
        head_(register_module("classifier", std::make_shared<nn::Linear>(
                                                bert_->config().hidden_size, classes, generator))) {
  }
  Variable forward(const Variable& ids) override { return logits({ids.tensor(), {}}); }
  Variable logits(const TokenBatch& batch) override {
    const Variable hidden = bert_->encode(batch.ids, batch.lengths);
    return head_->forward(dropout_->forward(nn::mean_pool(hidden, batch.lengths)));
  }

 private:
  std::shared_ptr<nn::Bert> bert_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::Linear> head_;
};

class CnnClassifier final : public TextNet {
 public:
  CnnClassifier(const nn::TextCnnOptions& options, std::int64_t classes, Generator& generator)
      : features_(register_module("features", std::make_shared<nn::TextCnn>(options, generator))),
        head_(register_module("classifier", std::make_shared<nn::Linear>(features_->features(),
                                                                         classes, generator))) {}
  Variable forward(const Variable& ids) override { return logits({ids.tensor(), {}}); }
  Variable logits(const TokenBatch& batch) override {
    return head_->forward(features_->forward(Variable(batch.ids)));
  }

 private:
  std::shared_ptr<nn::TextCnn> features_;
  std::shared_ptr<nn::Linear> head_;
};

// The names of a folder that load_bert reads: the encoder's without a prefix, and the head's.
nn::StateDict without_prefix(nn::StateDict state) {
  nn::StateDict plain;
  for (auto& [name, value] : state) {
    plain.emplace(name.starts_with("bert.") ? name.substr(5) : name, value);
  }
  return plain;
}

std::shared_ptr<BertClassifier> load_teacher(const fs::path& folder, std::int64_t classes,
                                             Generator& generator) {
  auto net = std::make_shared<BertClassifier>(load_bert(folder).model, classes, generator);
  const SafetensorsFile file(folder / "model.safetensors");
  nn::StateDict state = net->state_dict();
  for (const char* name : {"classifier.weight", "classifier.bias"}) {
    const Tensor value = file.tensor(name);
    if (!(value.shape() == state.at(name).shape())) {
      raise(ErrorKind::bad_input, folder.string(), "/model.safetensors: ", name, ": expected ",
            describe(state.at(name)), ", found ", describe(value));
    }
    state[name] = value;
  }
  net->load_state_dict(state);
  return net;
}

class TextTraining {
 public:
  explicit TextTraining(TrainJob& job) : job_(job), recipe_(job.recipe) {
    const fs::path directory = recipe_.data.dir;
    tokenizer_.emplace(data::Tokenizer::load(tokenizer_folder()));
    TextSet train = read_texts(table_at(directory, "train"));
    classes_ = train.classes;
    const std::int64_t records = std::ssize(train.texts);
    TextSet held_out;
    if (recipe_.evaluate.split == "test") {
      held_out = read_texts(test_table(directory), classes_);
    } else {
      held_out = hold_back(train);
    }
    train_ = encode(train);
    held_out_ = encode(held_out);
    read_advice(records, train.records);
  }

  nlohmann::json run() {
    job_.begin();
    nlohmann::json table = nlohmann::json::array(), model;
    const auto add = [&](const char* name, TextNet& net) {
      model = score(net);
      nlohmann::json row = {{"name", name}};
      for (const char* key : {"accuracy", "f1", "params"}) row[key] = model.at(key);
      table.push_back(row);
    };
    if (recipe_.student.model == "bert") {
      Generator weights = Generator(recipe_.seed).fork(1);
      BertClassifier net(load_bert(recipe_.student.pretrained, recipe_.student.dropout).model,
                         classes(), weights);
      train_net(net, "model", {});
      add("model", net);
      save(without_prefix(net.state_dict()));
    } else {
      const auto alone = make_cnn();
      train_net(*alone, "student_alone", {});
      add("student_alone", *alone);
      nn::StateDict state = alone->state_dict();
      if (!recipe_.teacher.file.empty()) {
        Generator unused(0);
        const auto teacher = load_teacher(recipe_.teacher.file, classes(), unused);
        add("teacher", *teacher);
        advice_ = logits_of(*teacher, train_, "teacher's view");
      }
      if (advice_.defined()) {
        const auto student = make_cnn();
        train_net(*student, "student", advice_);
        add("student", *student);
        state = student->state_dict();
      }
      save(state);
    }
    return {{"model", model},
            {"table", table},
            {"evaluated_on", {{"split", recipe_.evaluate.split}, {"records", held_out_.size()}}},
            {"data",
             {{"train", train_.size()},
              {"test", recipe_.evaluate.split == "test" ? held_out_.size() : 0}}},
            {"classes", classes_}};
  }

 private:
  std::int64_t classes() const { return std::ssize(classes_); }
  fs::path tokenizer_folder() const {
    const auto& s = recipe_.student;
    if (s.pretrained.empty()) {
      raise(ErrorKind::usage,
            "student.pretrained: expected a folder with a tokeniser (and, for bert, an encoder), "
            "got none");
    }
    return s.pretrained;
  }

  // Takes the last kValidation texts of a permutation, a tenth at most, out of `train`.
  TextSet hold_back(TextSet& train) const {
    const auto n = std::ssize(train.texts), count = std::min(kValidation, n / 10);
    std::vector<std::int64_t> order = data::BatchOrder(n, {n, recipe_.seed, true, false}).next();
    TextSet kept, held;
    for (std::int64_t i = 0; i < n; ++i) {
      TextSet& to = i < n - count ? kept : held;
      const auto from = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
      to.texts.push_back(std::move(train.texts[from]));
      to.labels.push_back(train.labels[from]);
      to.records.push_back(train.records[from]);
    }
    kept.classes = held.classes = train.classes;
    train = std::move(kept);
    return held;
  }

  // teacher.logits: a file's rows of the training texts that are learnt from.
  void read_advice(std::int64_t records, const std::vector<std::int64_t>& learnt) {
    const auto& t = recipe_.teacher;
    if (!t.embeddings.empty()) {
      raise(ErrorKind::usage,
            "teacher.embeddings: data.format text knows teacher.logits and "
            "teacher.file, got ",
            t.embeddings);
    }
    if (t.logits.empty()) return;
    if (!t.file.empty() || recipe_.student.model == "bert") {
      raise(ErrorKind::usage,
            "teacher.logits: expected student.model text_cnn and no teacher.file, "
            "got ",
            recipe_.student.model, t.file.empty() ? "" : " and ", t.file);
    }
    advice_ = teacher_rows("teacher.logits", t.logits, record_numbers(records), learnt, classes());
  }

  EncodedTexts encode(const TextSet& set) const {
    data::EncodeOptions options;
    options.max_length = static_cast<std::size_t>(recipe_.student.context);
    return {tokenizer_->encode_batch(set.texts, options), set.labels};
  }

  std::shared_ptr<CnnClassifier> make_cnn() const {
    Generator weights = Generator(recipe_.seed).fork(1);
    nn::TextCnnOptions o;
    o.vocabulary = tokenizer_->vocabulary_size();
    o.width = recipe_.student.width;
    o.dropout = recipe_.student.dropout;
    return std::make_shared<CnnClassifier>(o, classes(), weights);
  }

  // `advice`: the teacher's logits of the training texts, or undefined.
  void train_net(TextNet& net, const char* name, const Tensor& advice) {
    const auto& t = recipe_.train;
    std::vector<nn::ParameterGroup> groups = nn::decay_matrices_only(net);
    const auto optimizer = make_optimizer(recipe_, std::move(groups));
    LikeLengths batches(train_.rows, t.batch, recipe_.seed);
    TrainPlan plan;
    plan.name = name;
    plan.steps_per_epoch = std::max<std::int64_t>(1, batches.batches_per_epoch() / t.accumulate);
    plan.steps = plan.steps_per_epoch * t.epochs;
    run_training(job_, net, *optimizer, plan, [&](std::int64_t, std::int64_t) {
      const std::vector<std::int64_t> rows = batches.next();
      const Autocast scope(job_.options.precision);
      const Variable logits = net.logits(batch_of(train_.rows, rows));
      const Variable of_labels =
          cross_entropy(logits, train_.labels_of(rows), Variable(), t.label_smoothing);
      if (!advice.defined()) return of_labels;
      return guided_loss(recipe_, of_labels, logits, Variable(data::gather_rows(advice, rows)));
    });
  }

  // f32 [texts, classes]; `name` is what the progress calls it.
  Tensor logits_of(TextNet& net, const EncodedTexts& set, const char* name) const {
    const InferenceMode inference;
    ProgressTask task(job_.progress, name, set.size(), "texts");
    net.eval();
    std::vector<std::int64_t> order(static_cast<std::size_t>(set.size()));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return set.rows.length(a) < set.rows.length(b);
    });
    Tensor out = empty({set.size(), classes()});
    for (std::int64_t first = 0; first < set.size(); first += kScoredAtOnce) {
      const auto begin = order.begin() + first;
      const std::vector<std::int64_t> which(begin,
                                            begin + std::min(kScoredAtOnce, set.size() - first));
      const Tensor part = contiguous(net.logits(batch_of(set.rows, which)).tensor());
      for (std::size_t i = 0; i < which.size(); ++i) {
        std::copy_n(part.data<float>() + static_cast<std::int64_t>(i) * classes(), classes(),
                    out.data<float>() + which[i] * classes());
      }
      task.update(first + std::ssize(which), "");
      if (job_.options.stop && job_.options.stop()) throw Interrupted{};
    }
    return out;
  }

  nlohmann::json score(TextNet& net) const {
    const Tensor labels = from_values(held_out_.labels, {held_out_.size()});
    const auto counts = nn::confusion_matrix(
        nn::predicted_classes(logits_of(net, held_out_, "evaluation")), labels, classes());
    return {{"params", net.parameter_count()},
            {"accuracy", nn::accuracy(counts)},
            {"f1", nn::macro_f1(counts)},
            {"confusion", counts}};
  }

  // The run directory is then a folder that `teacher.file` and `athanor embed` take.
  void save(const nn::StateDict& state) const {
    save_safetensors(job_.options.out / "model.safetensors", state,
                     {{"format", "athanor.text_classifier"},
                      {"format_version", "1"},
                      {"producer", "athanor"},
                      {"model", recipe_.student.model}});
    for (const char* name :
         {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"}) {
      const fs::path from = fs::path(recipe_.student.pretrained) / name;
      if (!fs::exists(from)) continue;
      const std::vector<std::byte> bytes = read_file(from);
      write_file_atomically(job_.options.out / name,
                            {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }

  TrainJob& job_;
  const Recipe& recipe_;
  std::optional<data::Tokenizer> tokenizer_;
  std::vector<std::string> classes_;
  EncodedTexts train_, held_out_;
  Tensor advice_;  // the teacher's logits of the training texts, or undefined
};

}  // namespace

nlohmann::json train_text(TrainJob& job) {
  if (job.options.device.type != DeviceType::cpu) {
    raise(ErrorKind::usage, "--device: data.format text trains on cpu, got ", job.options.device);
  }
  const std::string& model = job.recipe.student.model;
  if (model != "bert" && model != "text_cnn") {
    raise(ErrorKind::usage, "student.model: data.format text knows bert and text_cnn, got ", model);
  }
  return TextTraining(job).run();
}

}  // namespace athanor::distill

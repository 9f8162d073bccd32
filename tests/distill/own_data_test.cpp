// What a program brings along: pictures in other layouts, a teacher that lives elsewhere, and
// models, data sets and losses under names of their own.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "autograd/ops.h"
#include "data/image_formats.h"
#include "distill/losses/guidance.h"
#include "distill/pipeline/train.h"
#include "nn/layers.h"
#include "nn/models.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/distill/run_recipe.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

std::string error_of(const std::string& recipe, const std::filesystem::path& out) {
  try {
    run(recipe, out);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// u8 [N, 3, 8, 8]: of two classes, each with a channel that is bright more often than not.
data::ImageSet coloured(std::int64_t count, std::uint64_t seed) {
  Generator g(seed);
  data::ImageSet set{
      empty({count, 3, 8, 8}, DType::u8), empty({count}, DType::i64), {"red", "blue"}};
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t label = g.next_below(2);
    set.labels.data<std::int64_t>()[n] = label;
    for (std::int64_t i = 0; i < 3 * 64; ++i) {
      const bool bright = i / 64 == 2 * label ? g.next_uniform() < 0.6 : g.next_uniform() < 0.3;
      set.images.data<std::uint8_t>()[n * 3 * 64 + i] = bright ? 255 : 0;
    }
  }
  return set;
}

data::ImageData coloured_parts(const std::filesystem::path&, const data::ImageFormatOptions&) {
  return {coloured(200, 1), coloured(100, 2)};
}

nn::Body mean_colour(const nn::ModelSpec& spec, Generator& generator) {
  const std::int64_t size = numel_of(spec.input);
  return {std::make_shared<nn::Sequential>(std::vector<std::shared_ptr<nn::Module>>{
              nn::flatten_layer(), std::make_shared<nn::Linear>(size, 4, generator)}),
          4};
}

Variable of_logits(const Variable& student, const Variable& teacher, double,
                   const Variable& weights) {
  const Variable distance = mean(square(student - teacher), {1});
  return mean(weights.tensor().defined() ? distance * weights : distance);
}

// The names stay for the whole process, so they are registered once.
void register_once() {
  static const bool done = [] {
    nn::register_model("mean_colour", mean_colour);
    data::register_image_format("coloured", coloured_parts);
    data::register_image_format("wrong", [](const auto&, const auto&) {
      data::ImageData data{coloured(20, 1), coloured(20, 2)};
      data.test.labels.data<std::int64_t>()[7] = 2;
      return data;
    });
    register_guidance_loss("squares", of_logits);
    register_guidance_loss("many", [](const Variable& student, const Variable&, double,
                                      const Variable&) { return student; });
    return true;
  }();
  (void)done;
}

const std::string kOwn =
    "data = { format = 'coloured' }\nstudent = { model = 'mean_colour' }\n"
    "train = { epochs = 8, batch = 20, lr = 0.01, shift = 1 }\n";

// Logits that are sure of the label.
Tensor sure_logits(const data::ImageSet& set) {
  Tensor logits = zeros({set.size(), 2});
  for (std::int64_t n = 0; n < set.size(); ++n) {
    logits.data<float>()[2 * n + set.labels.data<std::int64_t>()[n]] = 4;
  }
  return logits;
}

}  // namespace

TEST_CASE("a model and a data set of a program's own are trained and read back") {
  register_once();
  const TemporaryDirectory directory;
  const auto summary = run(kOwn, directory.path() / "run");
  INFO(summary.dump());
  CHECK(summary.at("model").at("accuracy").get<double>() >= 0.9);
  CHECK(summary.at("classes") == std::vector<std::string>{"red", "blue"});
  const auto model = nn::load_classifier(directory.path() / "run" / "model.safetensors");
  CHECK(model->spec().model == "mean_colour");
  CHECK(model->spec().input == Shape{3, 8, 8});
}

TEST_CASE("names that are taken or unknown are refused, with those that exist") {
  register_once();
  CHECK_THROWS_WITH(nn::register_model("cnn", mean_colour), Catch::Contains("a new name"));
  CHECK_THROWS_WITH(nn::register_model("mean_colour", mean_colour), Catch::Contains("a new name"));
  CHECK_THROWS_WITH(data::register_image_format("idx", coloured_parts),
                    Catch::Contains("a new name"));
  CHECK_THROWS_WITH(register_guidance_loss("kl", of_logits), Catch::Contains("a new name"));
  CHECK_THROWS_WITH(nn::register_model("none", {}), Catch::Contains("without one"));
  const TemporaryDirectory directory;
  CHECK_THAT(error_of("data = { format = 'colored' }\n", directory.path()),
             Catch::Contains("idx, cifar, folder, coloured"));
  CHECK_THAT(error_of("loss = { distance = 'square' }\n", directory.path()),
             Catch::Contains("expected one of kl, many, squares; got square"));
  CHECK_THAT(error_of("data = { format = 'coloured' }\nstudent = { model = 'colour' }\n",
                      directory.path()),
             Catch::Contains("mixer, mean_colour; got colour"));
  CHECK_THAT(error_of("data = { format = 'wrong' }\n", directory.path()),
             Catch::Contains("data.format wrong, test part: expected labels below 2") &&
                 Catch::Contains("found 2 at record 7"));
}

TEST_CASE("a teacher's logits and embeddings from files teach beside the labels") {
  register_once();
  const TemporaryDirectory directory;
  const auto logits = directory.path() / "logits.npy";
  const data::ImageSet train = coloured(200, 1);
  save_npy(logits, sure_logits(train));
  save_npy(directory.path() / "vectors.npy", sure_logits(train));
  const std::string teacher = str("teacher = { logits = '", logits.string(), "' }\n");
  const auto alone = run(kOwn, directory.path() / "alone");
  for (const char* distance : {"kl", "squares"}) {
    const auto taught =
        run(kOwn + teacher + "loss = { distance = '" + distance + "' }\nmix = { start = 0.2 }\n",
            directory.path() / distance);
    INFO(distance << ": " << taught.dump());
    REQUIRE(taught.at("table").size() == 2);
    CHECK(taught.at("table")[0].at("accuracy") == alone.at("model").at("accuracy"));
    CHECK(taught.at("table")[1].at("accuracy").get<double>() >= 0.9);
    CHECK(taught.at("table")[1].at("name") == "student");
  }
  const auto related = run(kOwn + str("teacher = { embeddings = '",
                                      (directory.path() / "vectors.npy").string(), "' }\n"),
                           directory.path() / "related");
  CHECK(related.at("table").size() == 2);
  // The relations change what is learnt.
  CHECK(related.at("table")[1] != related.at("table")[0]);
  CHECK_THAT(error_of(kOwn + teacher + "loss = { distance = 'many' }\n", directory.path() / "m"),
             Catch::Contains("loss.distance many: expected a loss of one number"));
}

TEST_CASE("a teacher's file that does not fit is named") {
  register_once();
  const TemporaryDirectory directory;
  const auto file = directory.path() / "logits.npy";
  const std::string recipe = kOwn + str("teacher = { logits = '", file.string(), "' }\n");
  save_npy(file, zeros({199, 2}));
  CHECK_THAT(error_of(recipe, directory.path() / "run"),
             Catch::Contains("teacher.logits: ") && Catch::Contains("199"));
  save_npy(file, zeros({200, 3}));
  CHECK_THAT(error_of(recipe, directory.path() / "run"),
             Catch::Contains("expected logits of 2 classes, found 3 a record"));
  CHECK_FALSE(std::filesystem::exists(directory.path() / "run"));
}

TEST_CASE("a student learns from CIFAR's binary files") {
  const TemporaryDirectory directory;
  Generator g(3);
  for (const auto& [name, count] : {std::pair{"data_batch_1.bin", 200}, {"test_batch.bin", 100}}) {
    std::string bytes;
    for (int n = 0; n < count; ++n) {
      const std::int64_t label = g.next_below(10);
      bytes += static_cast<char>(label);
      for (std::int64_t i = 0; i < 3 * 1024; ++i) {
        // The class is the place of a bright stripe.
        const bool bright = i % 1024 / 32 / 3 == label;
        bytes += static_cast<char>(bright ? 200 + g.next_below(50) : g.next_below(100));
      }
    }
    write_text(directory.path() / name, bytes);
  }
  const auto summary = run(str("data = { format = 'cifar', dir = '", directory.path().string(),
                               "' }\n", "student = { model = 'resnet8' }\n",
                               "train = { epochs = 3, batch = 20, lr = 0.01, flip = true }\n"),
                           directory.path() / "run");
  INFO(summary.dump());
  CHECK(summary.at("model").at("accuracy").get<double>() >= 0.8);
  CHECK(nn::load_classifier(directory.path() / "run" / "model.safetensors")->spec().input ==
        Shape{3, 32, 32});
}

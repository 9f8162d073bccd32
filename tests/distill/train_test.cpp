// athanor train on small data of each kind, from the recipe to the files of the run.
#include "distill/pipeline/train.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/idx.h"
#include "nn/gpt_file.h"
#include "nn/models.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/distill/image_halves.h"
#include "tests/distill/run_recipe.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// Two groups of 20 nodes with many edges inside and few between; a node's one feature says its
// group in two cases of three.
void write_graph(const std::filesystem::path& directory) {
  Generator g(1);
  std::string nodes = "node\tlabel\tsplit\tfeature_indices\n", edges;
  for (int i = 0; i < 40; ++i) {
    const int label = i % 2;
    const int feature = g.next_uniform() < 2.0 / 3 ? label : 1 - label;
    nodes += str(i, "\t", label, "\t",
                 i < 8    ? "train"
                 : i < 20 ? "val"
                          : "test",
                 "\t", feature, "\n");
    for (int j = 0; j < i; ++j) {
      if (g.next_uniform() < (j % 2 == label ? 0.4 : 0.02)) edges += str(j, "\t", i, "\n");
    }
  }
  write_text(directory / "nodes.tsv", nodes);
  write_text(directory / "edges.tsv", edges);
}

}  // namespace

TEST_CASE("a graph network is trained over several seeds") {
  const TemporaryDirectory directory;
  write_graph(directory.path());
  for (const char* model : {"gcn", "sage", "gat"}) {
    const auto summary =
        run(str("data = { format = 'graph', dir = '", directory.path().string(), "' }\n",
                "student = { model = '", model, "', hidden = [8], heads = 2, dropout = 0.1 }\n",
                "train = { optimizer = 'adam', lr = 0.02, epochs = 60, schedule = 'constant', "
                "patience = 30, repeats = 2 }\n"),
            directory.path() / model);
    INFO(summary.dump());
    CHECK(summary.at("model").at("accuracy").get<double>() >= 0.85);
    CHECK(summary.at("repeats").at("accuracy").size() == 2);
    CHECK(summary.at("evaluated_on").at("records") == 20);
    CHECK(std::filesystem::exists(directory.path() / model / "model.safetensors"));
  }
}

TEST_CASE("a character model learns a repeated text and writes it") {
  const TemporaryDirectory directory;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "to be or not to be\n";
  write_text(directory.path() / "input.txt", text);
  const std::string recipe =
      str("data = { format = 'characters', dir = '", directory.path().string(), "' }\n",
          "student = { model = 'gpt', width = 32, layers = 1, heads = 2, context = 32 }\n",
          "train = { optimizer = 'muon', lr = 0.01, epochs = 10, batch = 8, "
          "schedule = 'warm_stable_decay', warmup = 0.1, clip = 1.0 }\n");
  const auto summary = run(recipe, directory.path() / "run");
  INFO(summary.dump());
  // The first character of a window is the only one that is not determined.
  CHECK(summary.at("model").at("loss").get<double>() < 0.3);
  CHECK(summary.at("samples").at(0).get<std::string>().find("not to be") != std::string::npos);
  const auto model = nn::load_character_model(directory.path() / "run" / "model.safetensors");
  CHECK(model.vocabulary.decode(model.vocabulary.encode("to be")) == "to be");
  CHECK_THROWS_WITH(model.vocabulary.encode("to x"), Catch::Contains("offset 3"));
  CHECK(model.gpt->parameter_count() == summary.at("model").at("params").get<std::int64_t>());
  CHECK(run(recipe, directory.path() / "again").at("model") == summary.at("model"));
  write_text(directory.path() / "input.txt", "short");
  CHECK_THROWS_WITH(run(recipe, directory.path() / "run"), Catch::Contains("at least 330 bytes"));
}

TEST_CASE("images are learnt by each model, with augmentation and averaged weights") {
  const TemporaryDirectory directory;
  write_halves(directory.path(), 128, 64);
  for (const char* model : {"cnn", "resnet8", "vit", "mixer"}) {
    const auto summary =
        run(str("data = { dir = '", directory.path().string(), "' }\n", "student = { model = '",
                model, "', width = 16, layers = 1, heads = 2 }\n",
                "train = { epochs = 6, batch = 16, lr = 0.01, shift = 1, flip = true, "
                "average = 0.9, optimizer = 'adamw' }\n"),
            directory.path() / model);
    INFO(model << ": " << summary.dump());
    CHECK(summary.at("model").at("accuracy").get<double>() >= 0.95);
    const auto loaded = nn::load_classifier(directory.path() / model / "model.safetensors");
    CHECK(loaded->spec().model == model);
  }
  CHECK_THROWS_WITH(
      run(str("data = { dir = '", directory.path().string(), "' }\ntrain = { patience = 3 }\n"),
          directory.path() / "p"),
      Catch::Contains("nothing is held out"));
}

namespace {

// Texts of a few letters; the class is whether "x" or "z" occurs.
void write_texts(const std::filesystem::path& directory) {
  Generator g(3);
  for (const auto& [part, count] : {std::pair<std::string, int>{"train", 240}, {"dev", 60}}) {
    std::string text = "sentence\tlabel\n";
    for (int i = 0; i < count; ++i) {
      std::string words;
      for (int k = 3 + static_cast<int>(g.next_below(6)); k > 0; --k) {
        words += static_cast<char>('a' + g.next_below(20));
        words += ' ';
      }
      const std::size_t at = static_cast<std::size_t>(g.next_below(3)) * 2;
      words[at] = i % 2 ? 'x' : 'z';
      text += words + "\t" + (i % 2 ? "crossed" : "zipped") + "\n";
    }
    write_text(directory / (part + ".tsv"), text);
  }
}

}  // namespace

TEST_CASE("an encoder is fine-tuned, and teaches a small network") {
  const TemporaryDirectory directory;
  write_texts(directory.path());
  const std::string data =
      str("data = { format = 'text', dir = '", directory.path().string(), "' }\n");
  const auto student = [](const char* rest) {
    return str("student = { ", rest, ", pretrained = '", ATHANOR_TINY_BERT, "', context = 32 }\n");
  };
  const auto out = directory.path() / "bert";
  const auto tuned = run(data + student("model = 'bert'") +
                             "train = { lr = 5e-3, epochs = 12, batch = 16, schedule = 'linear', "
                             "warmup = 0.1, clip = 1.0 }\n",
                         out);
  INFO(tuned.dump());
  CHECK(tuned.at("model").at("accuracy").get<double>() >= 0.9);
  CHECK(tuned.at("evaluated_on").at("records") == 60);
  CHECK(tuned.at("classes") == std::vector<std::string>{"crossed", "zipped"});
  CHECK(std::filesystem::exists(out / "tokenizer.json"));

  const std::string small = data + student("model = 'text_cnn', width = 16") +
                            "train = { lr = 5e-3, epochs = 10, batch = 16 }\n";
  const auto alone = run(small, directory.path() / "alone");
  CHECK(alone.at("table").size() == 1);
  CHECK(alone.at("model").at("accuracy").get<double>() >= 0.8);
  const auto taught =
      run(small + str("teacher = { file = '", out.string(), "' }\n"), directory.path() / "taught");
  INFO(taught.dump());
  REQUIRE(taught.at("table").size() == 3);
  // The teacher is read back as it was written, and the student alone does not depend on it.
  CHECK(taught.at("table")[0] == alone.at("table")[0]);
  CHECK(taught.at("table")[1].at("accuracy") == tuned.at("model").at("accuracy"));
  CHECK(taught.at("table")[2].at("accuracy").get<double>() >= 0.8);

  // A teacher elsewhere: its logits in a file, here those of the labels.
  const auto logits = directory.path() / "logits.npy";
  Tensor sure = zeros({240, 2});
  for (std::int64_t i = 0; i < 240; ++i) sure.data<float>()[2 * i + (i % 2 ? 0 : 1)] = 4;
  save_npy(logits, sure);
  const std::string elsewhere = str("teacher = { logits = '", logits.string(), "' }\n");
  const auto told = run(small + elsewhere, directory.path() / "told");
  REQUIRE(told.at("table").size() == 2);
  CHECK(told.at("table")[0] == alone.at("table")[0]);
  CHECK(told.at("table")[1].at("accuracy").get<double>() >= 0.8);
  CHECK_THROWS_WITH(run(data + student("model = 'bert'") + elsewhere, directory.path() / "no"),
                    Catch::Contains("teacher.logits: expected student.model text_cnn"));
  save_npy(logits, zeros({240, 3}));
  CHECK_THROWS_WITH(run(small + elsewhere, directory.path() / "no"),
                    Catch::Contains("expected logits of 2 classes, found 3 a record"));
}

TEST_CASE("what is wrong with texts is named") {
  const TemporaryDirectory directory;
  write_texts(directory.path());
  const auto error_of = [&](const std::string& student) -> std::string {
    try {
      run(str("data = { format = 'text', dir = '", directory.path().string(), "' }\nstudent = { ",
              student, " }\n"),
          directory.path() / "out");
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const std::string pretrained = str("pretrained = '", ATHANOR_TINY_BERT, "'");
  CHECK_THAT(error_of("model = 'bert'"), Catch::Contains("student.pretrained: expected a folder"));
  CHECK_THAT(error_of("model = 'cnn', " + pretrained),
             Catch::Contains("knows bert and text_cnn, got cnn"));
  write_text(directory.path() / "dev.tsv", "sentence\tlabel\na b\tunheard\n");
  CHECK_THAT(error_of("model = 'bert', " + pretrained),
             Catch::Contains("record 1: expected a label of the training part, found unheard"));
  write_text(directory.path() / "dev.tsv", "words\tlabel\na b\tzipped\n");
  CHECK_THAT(error_of("model = 'bert', " + pretrained),
             Catch::Contains("expected a column sentence, found words, label"));
  std::filesystem::remove(directory.path() / "dev.tsv");
  CHECK_THAT(error_of("model = 'bert', " + pretrained), Catch::Contains("found none"));
  // The test part is test.tsv where it has labels, as some challenges' has not.
  write_text(directory.path() / "test.tsv", "index\tsentence\n0\ta b\n");
  CHECK_THAT(error_of("model = 'bert', " + pretrained), Catch::Contains("found none"));
  write_text(directory.path() / "test.tsv", "sentence\tlabel\na b\tlabelled\n");
  CHECK_THAT(error_of("model = 'bert', " + pretrained), Catch::Contains("found labelled"));
}

// The main job as a whole, on a small made-up data set.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/image_set.h"
#include "distill/pipeline/distill.h"
#include "distill/pipeline/refine_stage.h"
#include "distill/pipeline/train.h"
#include "distill/refine/feature_values.h"
#include "nn/models.h"
#include "tensor/base/error.h"
#include "tests/distill/corner_images.h"

using namespace athanor;
using namespace athanor::distill;
namespace fs = std::filesystem;

namespace {

Recipe small_recipe(const fs::path& data) {
  Recipe recipe;
  recipe.data.dir = data;
  recipe.pool.size = 400;
  recipe.pool.trusted = 20;
  recipe.teacher.epochs = 2;
  recipe.train.epochs = 6;
  recipe.train.batch = 32;
  recipe.student.hidden = {16};
  return recipe;
}

// A directory with a small data set, removed at the end.
struct SmallData {
  fs::path root = fs::temp_directory_path() / ("athanor_distill_test_" + std::to_string(getpid()));
  SmallData() {
    fs::create_directories(root / "data");
    Generator generator(11);
    write_corners(root / "data", "train", 1200, generator);
    write_corners(root / "data", "t10k", 200, generator);
  }
  ~SmallData() { fs::remove_all(root); }
};

nlohmann::json run(const Recipe& recipe, const fs::path& out) {
  return nlohmann::json::parse(run_distill(recipe, {out, nullptr, {}, {}, DType::f32}));
}

}  // namespace

TEST_CASE("the main job: all files, all keys, equal numbers for equal seeds") {
  const SmallData small;
  const fs::path& root = small.root;
  const Recipe recipe = small_recipe(root / "data");

  nlohmann::json first = run(recipe, root / "a");
  for (const char* file :
       {"recipe.toml", "log.jsonl", "summary.json", "report.html", "teacher.safetensors",
        "student.safetensors", "student-int8.safetensors", "refine/scores.csv",
        "refine/manifest.csv", "refine/summary.json", "restructure/graph.json"}) {
    INFO(file);
    CHECK(fs::file_size(root / "a" / file) > 0);
  }
  const data::ImageSet golden = data::load_image_set(
      root / "a" / "refine" / "golden-images-idx3-ubyte",
      root / "a" / "refine" / "golden-labels-idx1-ubyte", {"0", "1", "2", "3"});
  CHECK(golden.size() == first["refine"]["kept"].get<std::int64_t>());
  CHECK(first["refine"]["effective_before"].get<double>() == Approx(0.38));
  CHECK(first["teacher"]["accuracy"].get<double>() > 0.9);
  for (const char* key : {"violations", "clip_rate", "triggers", "epsilon_final"}) {
    CHECK(first["control"].contains(key));
  }
  nlohmann::json second = run(recipe, root / "b");
  for (nlohmann::json* s : {&first, &second}) {
    s->erase("seconds");
    s->erase("peak_memory_mb");
    s->erase("speed");
    for (auto& row : (*s)["table"]) row.erase("seconds");
  }
  CHECK(first == second);

  CHECK_THROWS_AS(run_distill(recipe, {root / "c", nullptr, [] { return true; }}), Interrupted);
  CHECK_FALSE(fs::exists(root / "c" / "summary.json"));
  Recipe missing = recipe;
  missing.data.dir = root / "nowhere";
  CHECK_THROWS_WITH(run_distill(missing, {root / "d", nullptr, {}}), Catch::Contains("nowhere"));
  // A run that cannot begin leaves an earlier one as it was.
  const auto log_bytes = fs::file_size(root / "a" / "log.jsonl");
  CHECK_THROWS(run_distill(missing, {root / "a", nullptr, {}}));
  CHECK(fs::file_size(root / "a" / "log.jsonl") == log_bytes);
}

TEST_CASE("ablation rows: a part that is off is really off") {
  const SmallData small;
  Recipe recipe = small_recipe(small.root / "data");
  recipe.baselines = "ablation";
  recipe.loss.relation = 20;
  recipe.variants = {{"same", {}},
                     {"sparse_teacher", {"loss.kd_every=4"}},
                     {"smaller", {"student.hidden=[5]", "train.epochs=1", "train.batch=50"}}};
  recipe.evaluate.split = "validation";
  recipe.evaluate.size = 300;
  const nlohmann::json all = run(recipe, small.root / "a");
  CHECK(all["evaluated_on"]["records"] == 300);
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : all["table"]) rows[row["name"]] = row;
  CHECK(rows.contains("baseline:oracle_clean"));
  CHECK(rows.contains("without:control"));
  CHECK(rows.contains("variant:sparse_teacher"));
  CHECK(all["variants"]["variant:same"]["f1"] == all["student"]["f1"]);
  const nlohmann::json& smaller = rows["variant:smaller"];
  CHECK(smaller["steps"] == (recipe.pool.size + 49) / 50);
  CHECK(smaller["params"] < rows["student"]["params"]);
  CHECK_FALSE(all["variants"]["without:bound"]["control"].contains("mean_lambda"));
  CHECK(all["variants"]["without:compensation"]["control"]["triggers"] == 0);

  // Without stage 1 every record is learnt from, so the number of units changes.
  Recipe raw = recipe;
  raw.baselines = "standard";
  raw.variants.clear();
  raw.refine.enabled = false;
  const nlohmann::json unrefined = run(raw, small.root / "b");
  CHECK(unrefined["student"]["f1"] == all["variants"]["without:refine"]["f1"]);
  raw.refine.enabled = true;
  raw.restructure.enabled = false;
  const nlohmann::json unstructured = run(raw, small.root / "c");
  CHECK(unstructured["student"]["f1"] == all["variants"]["without:restructure"]["f1"]);
  CHECK_FALSE(unstructured.contains("restructure"));
  CHECK_FALSE(fs::exists(small.root / "c" / "restructure"));
}

TEST_CASE("nothing is trusted: teachers learn from the pool itself") {
  const SmallData small;
  Recipe recipe = small_recipe(small.root / "data");
  recipe.teacher.source = "pool";
  recipe.pool.mixture = "standard";
  recipe.trust.folds = 3;
  const nlohmann::json s = run(recipe, small.root / "a");
  // Four well separated classes: the proxies see through most wrong labels.
  CHECK(s["refine"]["effective_after"].get<double>() > 0.6);
  CHECK(s["teacher"]["accuracy"].get<double>() > 0.6);
  CHECK(s["raw_teacher"]["accuracy"].get<double>() > 0.6);
  recipe.teacher.file = "some.safetensors";
  CHECK_THROWS_WITH(run(recipe, small.root / "b"), Catch::Contains("trains its own"));
}

TEST_CASE("selection by threshold, estimated retention and budget") {
  const SmallData small;
  Recipe recipe = small_recipe(small.root / "data");
  recipe.refine.select = "budget";
  recipe.refine.budget = 100;
  CHECK(run(recipe, small.root / "a")["refine"]["kept"].get<int>() == Approx(100).margin(5));
  recipe.refine.select = "retention";
  recipe.refine.retention = 0.5;
  const double retention = run(recipe, small.root / "b")["refine"]["retention"].get<double>();
  CHECK(retention > 0.3);
  CHECK(retention < 0.7);
}

TEST_CASE("training one model without a teacher") {
  const SmallData small;
  Recipe recipe = small_recipe(small.root / "data");
  const auto s = nlohmann::json::parse(run_train(recipe, {small.root / "a", nullptr, {}}));
  CHECK(s["model"]["accuracy"].get<double>() > 0.9);
  CHECK(s["data"]["train"] == 1200);
  const auto model = nn::load_classifier(small.root / "a" / "model.safetensors");
  CHECK(model->parameter_count() == s["model"]["params"].get<std::int64_t>());
  recipe.evaluate.split = "validation";
  recipe.evaluate.size = 200;
  recipe.train.shift = 1;
  const auto v = nlohmann::json::parse(run_train(recipe, {small.root / "b", nullptr, {}}));
  CHECK(v["evaluated_on"]["records"] == 200);
  CHECK(v["data"]["train"] == 1000);
  recipe.evaluate.size = 1200;
  CHECK_THROWS_WITH(run_train(recipe, {small.root / "c", nullptr, {}}),
                    Catch::Contains("expected fewer than the 1200"));
}

TEST_CASE("area under the ROC curve by hand") {
  const std::vector<double> score = {0.1, 0.4, 0.35, 0.8}, ties = {1, 1, 1};
  CHECK(auroc(score, std::vector<char>{0, 0, 1, 1}) == Approx(0.75));
  CHECK(auroc(ties, std::vector<char>{0, 1, 1}) == Approx(0.5));
  CHECK_FALSE(is_applicable(auroc(ties, std::vector<char>{0, 0, 0})));
}

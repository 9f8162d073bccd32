#include <catch2/catch.hpp>

#include "distill/recipe/recipe.h"
#include "tensor/base/error.h"

using namespace athanor;
using namespace athanor::distill;

TEST_CASE("a resolved recipe reads back to itself") {
  Recipe recipe;
  set_key(recipe, "train.epochs=7");
  set_key(recipe, "pool.mixture=standard");
  set_key(recipe, "student.hidden=[32, 16]");
  set_key(recipe, "refine.enabled=false");
  const std::string text = to_toml(recipe);
  const Recipe again = parse_recipe(text, "resolved");
  CHECK(to_toml(again) == text);
  CHECK(again.train.epochs == 7);
  CHECK(again.pool.mixture == "standard");
  CHECK(again.student.hidden == std::vector<std::int64_t>{32, 16});
  CHECK_FALSE(again.refine.enabled);
}

TEST_CASE("TOML tables, inline tables and losses set keys") {
  const Recipe recipe = parse_recipe(
      "seed = 5\nquantize = { enabled = true, mode = \"ptq\", records = 90 }\ntrain = { batch = "
      "64, lr = 1e-3 }\n[temperature]\nschedule = \"stages\"\n"
      "values = [5, 2, 1]\n[[losses]]\nname = \"kd\"\nweight = 1\n[[losses]]\n"
      "name = \"relation\"\nweight = 3.5\n",
      "r.toml");
  CHECK(recipe.seed == 5);
  CHECK(recipe.quantize.enabled);
  CHECK(recipe.quantize.mode == "ptq");
  CHECK(recipe.quantize.records == 90);
  CHECK(recipe.train.batch == 64);
  CHECK(recipe.temperature.values == std::vector<double>{5, 2, 1});
  CHECK(recipe.loss.kd == 1);
  CHECK(recipe.loss.relation == 3.5);
}

TEST_CASE("wrong recipes are usage errors that say what was expected") {
  CHECK_THROWS_WITH(parse_recipe("train.epoch = 3", "r.toml"),
                    "r.toml: unknown key train.epoch; did you mean train.epochs?");
  CHECK_THROWS_WITH(parse_recipe("train.batch = \"big\"", "r.toml"),
                    Catch::Contains("train.batch: expected an integer"));
  CHECK_THROWS_WITH(parse_recipe("train = {", "r.toml"), Catch::Contains("r.toml: line 1"));
  CHECK_THROWS_WITH(parse_recipe("[[losses]]\nname = \"magic\"\nweight = 1", "r.toml"),
                    Catch::Contains("kd or relation"));
  Recipe recipe;
  CHECK_THROWS_WITH(set_key(recipe, "train.epochs"), Catch::Contains("key=value"));
  const auto refuses = [](const char* assignment, const char* message) {
    Recipe r;
    set_key(r, assignment);
    CHECK_THROWS_WITH(check_recipe(r), Catch::Contains(message));
    try {
      check_recipe(r);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
    }
  };
  refuses("temperature.values=[0.0]", "temperature.values: expected values above 0, got 0");
  refuses("train.batch=0", "train.batch: expected 1 or more, got 0");
  refuses("pool.mixture=wild", "expected one of easy, standard, hard; got wild");
  refuses("quantize.mode=int4", "quantize.mode: expected one of qat, ptq; got int4");
  refuses("quantize.epochs=0", "quantize.epochs: expected 1 or more, got 0");
  refuses("quantize.lr=0.0", "quantize.lr: expected a rate above 0, got 0");
  refuses("quantize.records=0", "quantize.records: expected 1 or more, got 0");
  CHECK_THROWS_WITH(set_key(recipe, "quantize.enabled=7"), Catch::Contains("true or false"));
  CHECK_THROWS_WITH(set_key(recipe, "quantize.epoch=7"),
                    Catch::Contains("did you mean quantize.epochs?"));
}

TEST_CASE("variants are checked students of the same run") {
  Recipe recipe = parse_recipe(
      "loss.relation = 4\n[variants]\nsoft = [\"mix.max=0\", \"loss.relation=2\"]\n", "r.toml");
  REQUIRE(recipe.variants.size() == 1);
  CHECK(recipe.variants[0].first == "soft");
  const Recipe soft = with_variant(recipe, "soft", recipe.variants[0].second);
  CHECK(soft.mix.max == 0);
  CHECK(soft.loss.relation == 2);
  CHECK(recipe.loss.relation == 4);
  CHECK(parse_recipe(to_toml(recipe), "again").variants == recipe.variants);

  const auto refuses = [&](const char* setting, const char* message) {
    CHECK_THROWS_WITH(with_variant(recipe, "x", {setting}), Catch::Contains(message));
  };
  refuses("pool.size=500", "variants.x: expected settings of the student, got pool.size=500");
  refuses("seed=3", "which all students of a run share");
  refuses("quantize.mode=ptq", "the three-stage student alone becomes INT8");
  refuses("loss.relatoin=3", "did you mean loss.relation?");
  refuses("temperature.values=[0.0]", "values above 0");
  CHECK_THROWS_WITH(set_key(recipe, "variants.y=3"), Catch::Contains("expected a list"));
  for (const auto& [name, settings] : ablation_variants()) {
    INFO(name);
    CHECK_NOTHROW(with_variant(recipe, name, settings));
  }
}

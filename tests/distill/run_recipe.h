// A recipe's text, trained: for the tests of athanor train.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "distill/pipeline/train.h"

namespace athanor::distill {

// summary.json of the run in `out`.
inline nlohmann::json run(const std::string& recipe, const std::filesystem::path& out) {
  DistillOptions options;
  options.out = out;
  return nlohmann::json::parse(run_train(parse_recipe(recipe, "test.toml"), options));
}

}  // namespace athanor::distill

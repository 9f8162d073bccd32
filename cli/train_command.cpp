#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/run_options.h"
#include "distill/pipeline/train.h"

namespace athanor::cli {
namespace {

void run_train(const RunOptions& o) {
  const distill::Recipe recipe = resolve_recipe(o);
  const std::string summary = run_job(o, [&](const distill::DistillOptions& options) {
    return distill::run_train(recipe, options);
  });
  if (o.json) {
    std::fputs(summary.c_str(), stdout);
    return;
  }
  const auto s = nlohmann::json::parse(summary);
  const auto& model = s.at("model");
  std::printf("\n  %s, %lld parameters: ", recipe.student.model.c_str(),
              model.at("params").get<long long>());
  if (model.contains("loss")) {
    std::printf("loss %.4f nats", model.at("loss").get<double>());
  } else {
    std::printf("accuracy %.4f, macro F1 %.4f", model.at("accuracy").get<double>(),
                model.at("f1").get<double>());
  }
  if (s.contains("repeats")) {
    std::printf(" (mean accuracy of %zu seeds, standard deviation %.4f)",
                s.at("repeats").at("accuracy").size(), s.at("repeats").at("stddev").get<double>());
  }
  std::printf(" on %lld %s records\n", s.at("evaluated_on").at("records").get<long long>(),
              s.at("evaluated_on").at("split").get<std::string>().c_str());
  if (s.contains("table") && s.at("table").size() > 1) {
    std::printf("\n  %-14s %10s  %8s  %8s\n", "model", "parameters", "accuracy", "macro F1");
    for (const auto& row : s.at("table")) {
      std::printf("  %-14s %10lld  %8.4f  %8.4f\n", row.at("name").get<std::string>().c_str(),
                  row.at("params").get<long long>(), row.at("accuracy").get<double>(),
                  row.at("f1").get<double>());
    }
  }
  std::printf("  %.0f s; model: %s/model.safetensors\n", s.at("seconds").at("total").get<double>(),
              o.out.c_str());
}

}  // namespace

void add_train(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* c = app.add_subcommand(
      "train",
      "Example: athanor train examples/recipes/fashion-mnist-cnn.toml --out runs/cnn\n\n"
      "Trains the recipe's student on images, a graph, a text, texts with classes or recordings "
      "(data.format), without the three stages: reads the keys data.*, student.*, train.*, "
      "evaluate.* and seed; for classes of texts also teacher.file.");
  c->add_option("recipe", o->recipe, "Recipe file (TOML)")->option_text("RECIPE.toml")->required();
  add_run_options(*c, *o, "runs/train");
  c->callback([o] { run_train(*o); });
}

}  // namespace athanor::cli

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/run_options.h"
#include "distill/pipeline/distill.h"

namespace athanor::cli {
namespace {

struct DistillOptions : RunOptions {
  bool quick = false;
};

void print_row(const char* name, const nlohmann::json& row, double reference) {
  const double f1 = row.at("f1").get<double>();
  std::printf("  %-16s %10lld  %8.4f  %8.4f  %+9.1f%%\n", name, row.at("params").get<long long>(),
              row.at("accuracy").get<double>(), f1, 100 * (f1 / reference - 1));
}

// The three-stage student in 8 bits, after fine-tuning and, for comparison, before.
void print_int8_rows(const nlohmann::json& s, double alone) {
  nlohmann::json int8 = s.at("int8");
  const auto& params = int8["params"] = s.at("student").at("params");
  print_row("... in INT8", int8, alone);
  if (!int8.contains("ptq")) return;
  int8["ptq"]["params"] = params;
  print_row("... not tuned", int8.at("ptq"), alone);
}

void print_int8(const nlohmann::json& s) {
  const auto& q = s.at("int8");
  std::printf(
      "  INT8: %lld bytes for %lld in f32; the same class for %.4f of the images as its rounded "
      "f32 model, for %.4f as the student\n",
      q.at("bytes").get<long long>(), q.at("bytes_f32").get<long long>(),
      q.at("agreement").get<double>(), q.at("agreement_f32").get<double>());
  const auto& speed = s.at("speed");
  std::printf("  %lld images in %.3f ms (teacher), %.3f ms (student), %.3f ms (INT8)\n",
              speed.at("batch").get<long long>(), speed.at("teacher_ms").get<double>(),
              speed.at("student_f32_ms").get<double>(), speed.at("student_int8_ms").get<double>());
}

void print_table(const nlohmann::json& s, const std::string& out) {
  const double alone = s.at("baselines").at("student_alone").at("f1").get<double>();
  std::printf("\n  %-16s %10s  %8s  %8s  %10s\n", "model", "parameters", "accuracy", "macro F1",
              "vs alone");
  print_row("teacher", s.at("teacher"), alone);
  for (const auto& [name, row] : s.at("baselines").items()) print_row(name.c_str(), row, alone);
  print_row("three-stage", s.at("student"), alone);
  if (s.contains("int8")) print_int8_rows(s, alone);
  for (const auto& [name, row] : s.at("variants").items()) print_row(name.c_str(), row, alone);
  const auto& r = s.at("refine");
  std::printf("\n  effective data %.3f -> %.3f at retention %.3f (%lld of %lld records kept)\n",
              r.at("effective_before").get<double>(), r.at("effective_after").get<double>(),
              r.at("retention").get<double>(), r.at("kept").get<long long>(),
              r.at("total").get<long long>());
  if (s.contains("int8")) print_int8(s);
  for (const auto& note : s.at("notes")) {
    std::printf("  note: %s\n", note.get<std::string>().c_str());
  }
  std::printf("  %.0f s; report: %s/report.html\n", s.at("seconds").at("total").get<double>(),
              out.c_str());
}

void run_distill(const DistillOptions& o) {
  const distill::Recipe recipe = resolve_recipe(o, [&](distill::Recipe& r) {
    if (!o.quick) return;
    r.teacher.epochs = 1;
    r.train.epochs = 10;
    r.quantize.epochs = 2;
  });
  const std::string summary = run_job(o, [&](const distill::DistillOptions& options) {
    return distill::run_distill(recipe, options);
  });
  if (o.json) {
    std::fputs(summary.c_str(), stdout);
  } else {
    print_table(nlohmann::json::parse(summary), o.out);
  }
}

}  // namespace

void add_distill(CLI::App& app) {
  auto o = std::make_shared<DistillOptions>();
  CLI::App* c = app.add_subcommand(
      "distill",
      "Example: athanor distill --out runs/first --set train.epochs=30\n\n"
      "The main job: refines a messy pool, restructures it and distils a teacher into a small "
      "student, with baselines and a report. Without a recipe: Fashion-MNIST.");
  c->add_option("recipe", o->recipe, "Recipe file (TOML)")->option_text("RECIPE.toml");
  add_run_options(*c, *o, "runs/latest");
  c->add_flag("--quick", o->quick, "One teacher epoch, ten student epochs: a look, not a result");
  c->callback([o] { run_distill(*o); });
}

}  // namespace athanor::cli

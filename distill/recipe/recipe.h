// The recipe: every setting of a distillation run, from TOML and `--set a.b=c`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::distill {

struct Recipe {
  std::string name = "fashion-mnist";
  std::uint64_t seed = 0;
  struct {
    std::string format = "idx";
    std::string dir = "/usr/share/datasets/fashion-mnist";
  } data;
  struct {
    std::int64_t size = 6000;      // records in the pool
    double effective = 0.38;       // share that stays effective
    std::string mixture = "hard";  // easy, standard or hard
    std::int64_t trusted = 200;    // verified records beside the pool
    std::vector<std::string> defects = {"flip",  "confuse", "duplicate", "near_duplicate",
                                        "stale", "missing", "noise",     "out_of_domain"};
  } pool;
  struct {
    std::string model = "cnn";
    std::int64_t epochs = 4;
    std::string file;  // a trained teacher instead of training one
  } teacher;
  struct {
    std::string model = "mlp";
    std::vector<std::int64_t> hidden = {64};
  } student;
  struct {
    std::int64_t batch = 128;
    std::int64_t epochs = 60;  // passes over pool.size records, whatever the number kept
    std::string optimizer = "adamw";
    double lr = 2e-3;
    std::string schedule = "one_cycle";
  } train;
  struct {
    bool enabled = true;
    double threshold = 0.6;  // of the calibrated score: the probability that a record is effective
  } refine;
  struct {
    bool enabled = true;
    std::int64_t neighbours = 10;
    std::int64_t compression = 8;
    std::string relation = "decoded";  // decoded, attention or blend
  } restructure;
  struct {
    std::string hard = "trust";  // trust, constant or scheduled
    double max = 0.1;
  } mix;
  struct {
    bool enabled = true;
    double alpha = 0.06, beta = 0.5, gamma = 0.1;  // alpha in units of D_0
    std::string clip = "adaptive";                 // adaptive or none
  } control;
  struct {
    std::string schedule = "constant";  // stages, linear, cosine or constant
    std::vector<double> values = {4};
  } temperature;
  struct {
    bool enabled = false;
    std::vector<double> warm = {0.7, 0.3};
    std::vector<double> converge = {0.6, 0.4};
  } curriculum;
  struct {
    bool enabled = true;
    std::vector<double> weights = {1, 1, 1};
  } compensate;
  struct {
    bool enabled = false;
  } quantize;
  struct {
    double kd = 1;
    double relation = 10;
  } loss;
  std::string baselines = "standard";  // standard, or all
};

// The built-in recipe with the settings of a TOML document on top. Every problem is Error(usage)
// that names `file`, the key, what was expected and what came; an unknown key comes with the
// nearest known one.
Recipe parse_recipe(std::string_view toml, std::string_view file);
Recipe load_recipe(const std::filesystem::path& path);

// Applies one "a.b=value" (value in TOML syntax; bare words are strings).
void set_key(Recipe& recipe, std::string_view assignment);

// Checks values and combinations; throws Error(usage).
void check_recipe(const Recipe& recipe);

// All settings, resolved, as TOML that parse_recipe() reads back.
std::string to_toml(const Recipe& recipe);

}  // namespace athanor::distill

// The recipe: every setting of a distillation run, from TOML and `--set a.b=c`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor::distill {

struct Recipe {
  std::string name = "fashion-mnist";
  std::uint64_t seed = 0;
  struct {
    std::string format = "idx";
    std::string dir = "/usr/share/datasets/fashion-mnist";
    std::int64_t side = 32;  // of pictures in folders, in pixels
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
    // clean: learns from the training images outside the pool. pool: nobody has clean data; vanilla
    // distillation gets a teacher of the raw pool, the three-stage student one of the refined pool.
    std::string source = "clean";
    std::int64_t epochs = 4;
    std::string file;  // a trained teacher instead of training one
    // Of `athanor train`: what a teacher elsewhere said about the training records, by their ids
    // (data/teacher_outputs.h).
    std::string logits, embeddings;
  } teacher;
  struct {
    // Out-of-fold proxies, for teacher.source = "pool" (pipeline/out_of_fold.h).
    std::int64_t folds = 5, rounds = 2, epochs = 6;
    double q = 0.6;
    // What the three-stage student's teacher learns: the class posteriors of all usable records, or
    // the labels of the golden ones.
    std::string teacher = "posterior";
  } trust;
  struct {
    std::string model = "mlp";
    std::vector<std::int64_t> hidden = {64};
    // Of networks with attention (vit, gat, gpt) and of the mixer; dropout also of graph networks
    // and of bert, in the place of what its config.json says.
    std::int64_t width = 128, layers = 4, heads = 4, context = 128;
    double dropout = 0;
    // Texts: a folder with a tokeniser and, for bert, the encoder to start from.
    std::string pretrained;
  } student;
  struct {
    std::int64_t batch = 128;
    std::int64_t epochs = 60;  // passes over pool.size records, whatever the number kept
    std::string optimizer = "adamw";
    double lr = 2e-3;
    std::string schedule = "one_cycle";
    // What follows is read by `athanor train` alone.
    std::int64_t shift = 0;  // images are moved by up to so many pixels
    bool flip = false;       // every second image, by chance, is mirrored left to right
    double weight_decay = 1e-2;
    double warmup = 0;   // share of the steps in which the rate rises
    double clip = 0;     // > 0: limit of the gradients' norm
    double average = 0;  // > 0: decay of the averaged weights, which become the model
    double label_smoothing = 0;
    std::int64_t accumulate = 1;  // batches a step
    std::int64_t patience = 0;    // > 0: evaluations without improvement before it stops
    std::int64_t repeats = 1;     // graphs: seeds, from `seed` on
  } train;
  struct {
    bool enabled = true;
    std::string select = "threshold";  // threshold, retention or budget
    double threshold = 0.6;        // of the score: the probability that a record's label is right
    double retention = 0.95;       // share of the score's sum to keep: the estimated retention
    std::int64_t budget = 2000;    // records to keep
    std::string learn = "usable";  // usable (labels are the teacher's business) or golden
  } refine;
  struct {
    bool enabled = true;
    std::int64_t neighbours = 10;
    std::int64_t compression = 8;
    std::string relation = "blend";  // decoded, attention, blend, or raw (no compression)
  } restructure;
  struct {
    std::string hard = "trust";     // trust, constant or scheduled
    double max = 0.1;               // of trust
    double start = 0.5, end = 0.5;  // of scheduled; constant stays at start
  } mix;
  struct {
    bool enabled = true;
    bool bound = true;                             // false: clipping alone
    double alpha = 0.06, beta = 0.5, gamma = 0.1;  // alpha in units of D_0
    double lambda_max = 100;
    bool seed_exact = false;        // the article's form: absolute alpha, no floor
    std::string clip = "adaptive";  // adaptive or none
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
    bool act = true;          // false: alarms are raised and logged, nothing is done
    bool seed_exact = false;  // the article's raw sum of the terms
    std::vector<double> weights = {1, 1, 1};
  } compensate;
  struct {
    bool enabled = true;
    std::string mode = "qat";  // qat: fine-tuned with rounding; ptq: ranges are measured, no more
    std::int64_t epochs = 10;  // of fine-tuning: passes over pool.size records
    double lr = 1e-3;          // of fine-tuning, at its start
    std::int64_t records = 2000;  // of the student's: they show the ranges of activations
  } quantize;
  struct {
    std::string distance = "kl";  // between student and teacher: kl, or a registered one
    double kd = 1;
    double relation = 10;
    // The teacher guides every so many steps (each step, while the compensation asks for it).
    std::int64_t kd_every = 1;
  } loss;
  struct {
    // test: opened once, at the end. validation: clean training images that neither pool nor
    // teacher sees; use it to choose settings.
    std::string split = "test";
    std::int64_t size = 10000;  // of the validation split
  } evaluate;
  std::string baselines = "standard";  // standard, all, or ablation (all, and each stage off)
  // Further students in the same run, by name: the recipe with these settings ("key=value") on top.
  std::vector<std::pair<std::string, std::vector<std::string>>> variants;
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

// The recipe with the settings of a variant on top. Error(usage) names the variant when a setting
// is wrong, or belongs to what all students of a run share (data, pool, teacher, evaluation).
Recipe with_variant(const Recipe& recipe, const std::string& name,
                    const std::vector<std::string>& settings);

// The variants of baselines = "ablation": each stage off, the filter alone, the relations alone.
const std::vector<std::pair<std::string, std::vector<std::string>>>& ablation_variants();

// All settings, resolved, as TOML that parse_recipe() reads back.
std::string to_toml(const Recipe& recipe);

}  // namespace athanor::distill

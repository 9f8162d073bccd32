// athanor inspect: what is in a file.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "data/audio.h"
#include "data/idx.h"
#include "data/image_file.h"
#include "data/npz.h"
#include "data/text/tokenizer.h"
#include "tensor/io/npy.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/copy.h"

namespace athanor::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string text_of(const auto& value) { return str(value); }

Json shape_of(const Shape& shape) {
  Json sizes = Json::array();
  for (const std::int64_t size : shape) sizes.push_back(size);
  return sizes;
}

// Type, shape and range of an array. NaN and infinities are counted, not hidden.
Json summary_of(const Tensor& x) {
  Json json = {{"dtype", text_of(x.dtype())}, {"shape", shape_of(x.shape())}};
  if (x.numel() == 0 || x.dtype() == DType::boolean) return json;
  const Tensor values = contiguous(cast(x, DType::f64));
  double low = INFINITY, high = -INFINITY, sum = 0;
  std::int64_t finite = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const double v = values.data<double>()[i];
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
    sum += v;
    ++finite;
  }
  if (finite > 0) {
    json["min"] = low;
    json["max"] = high;
    json["mean"] = sum / static_cast<double>(finite);
  }
  if (finite < values.numel()) json["not_finite"] = values.numel() - finite;
  return json;
}

Json inspect_safetensors(const fs::path& path) {
  const SafetensorsFile file(path);
  Json json = {{"format", "safetensors"}, {"metadata", file.metadata()}};
  std::int64_t total = 0;
  Json tensors = Json::object();
  for (const auto& [name, entry] : file.entries()) {
    tensors[name] = {{"dtype", text_of(entry.dtype)}, {"shape", shape_of(entry.shape)}};
    total += numel_of(entry.shape);
  }
  json["elements"] = total;
  json["tensors"] = tensors;
  return json;
}

Json inspect_arrays(const fs::path& path) {
  Json json = {{"format", "npz"}};
  for (const auto& [name, array] : data::load_npz(path)) json["arrays"][name] = summary_of(array);
  return json;
}

Json inspect_tokenizer(const fs::path& path) {
  const data::Tokenizer tokenizer = data::Tokenizer::load(path);
  const data::TokenizerSpec& spec = tokenizer.spec();
  constexpr const char* kModels[] = {"WordPiece", "BPE", "WordLevel"};
  Json json = {{"format", "tokenizer"},
               {"model", kModels[spec.model.index()]},
               {"vocabulary", tokenizer.vocabulary_size()},
               {"vocabulary_hash", tokenizer.vocabulary_hash()}};
  for (const data::AddedToken& token : spec.added) json["added"][token.content] = token.id;
  if (spec.truncation) json["max_length"] = spec.truncation->max_length;
  return json;
}

Json with_format(const char* format, Json json) {
  Json result = {{"format", format}};
  result.update(json);
  return result;
}

Json inspect_file(const fs::path& path) {
  const std::string end = path.extension().string(), name = path.filename().string();
  if (end == ".safetensors") return inspect_safetensors(path);
  if (end == ".npz") return inspect_arrays(path);
  if (end == ".npy") return with_format("npy", summary_of(load_npy(path)));
  if (end == ".png" || end == ".jpg" || end == ".jpeg") {
    return with_format("picture", summary_of(data::load_image(path, data::PixelFormat::rgb)));
  }
  if (end == ".wav" || end == ".flac") {
    const data::Sound sound = data::load_sound(path);
    Json json = with_format("sound", summary_of(sound.samples));
    json["rate"] = sound.rate;
    return json;
  }
  if (fs::is_directory(path) || end == ".json" || end == ".txt") return inspect_tokenizer(path);
  return with_format("idx", summary_of(data::load_idx(path)));
}

// "key: value" lines; objects of objects one a line.
void print_text(const Json& json) {
  for (const auto& [key, value] : json.items()) {
    if (!value.is_object()) {
      std::printf("%s: %s\n", key.c_str(),
                  value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
      continue;
    }
    std::printf("%s:\n", key.c_str());
    for (const auto& [name, entry] : value.items()) {
      std::string line = entry.is_string() ? entry.get<std::string>() : entry.dump();
      if (entry.is_object() && entry.size() == 2 && entry.contains("shape")) {
        line = entry["dtype"].get<std::string>() + " " + entry["shape"].dump();
      }
      std::printf("  %-48s %s\n", name.c_str(), line.c_str());
    }
  }
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct Options {
    std::string path;
    bool json = false;
  };
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand(
      "inspect",
      "Example: athanor inspect runs/latest/student.safetensors\n\n"
      "What a file holds: safetensors, NPY, NPZ, IDX, tokenizer.json, vocab.txt, PNG, JPEG, WAV, "
      "FLAC.");
  c->add_option("file", o->path, "File")->required();
  c->add_flag("--json", o->json, "One JSON object");
  c->callback([o] {
    const Json json = inspect_file(o->path);
    if (o->json) {
      std::printf("%s\n", json.dump().c_str());
    } else {
      print_text(json);
    }
  });
}

}  // namespace athanor::cli

// athanor export: a model in another program's format.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "distill/export/onnx_models.h"
#include "distill/pretrained/sentence_encoder.h"
#include "nn/models.h"
#include "tensor/io/atomic_file.h"

namespace athanor::cli {
namespace {

struct ExportOptions {
  std::string model, format = "onnx", out;
  bool normalize = false;
};

std::string onnx_of(const ExportOptions& o) {
  if (!std::filesystem::is_directory(o.model)) {
    if (o.normalize) {
      raise(ErrorKind::usage, "--normalize: expected a folder with a sentence encoder, got ",
            o.model);
    }
    return distill::onnx_of_classifier(*nn::load_classifier(o.model));
  }
  const distill::SentenceEncoder encoder = distill::SentenceEncoder::load(o.model);
  return distill::onnx_of_bert(*encoder.model(), o.normalize || encoder.normalize());
}

void run_export(const ExportOptions& o) {
  const std::string bytes = onnx_of(o);
  write_file_atomically(o.out, bytes);
  std::fprintf(stderr, "%s: %zu bytes\n", o.out.c_str(), bytes.size());
}

}  // namespace

void add_export(CLI::App& app) {
  auto o = std::make_shared<ExportOptions>();
  CLI::App* c = app.add_subcommand(
      "export",
      "Example: athanor export runs/latest/student.safetensors --to onnx --out student.onnx\n\n"
      "Writes a model for other programs: an image classifier (mlp or cnn), or a folder with a "
      "BERT "
      "encoder.");
  c->add_option("model", o->model, "Model file (.safetensors), or folder of an encoder")
      ->required();
  c->add_option("--to", o->format, "Format")->check(CLI::IsMember({"onnx"}))->capture_default_str();
  c->add_option("--out", o->out, "File to write")->required();
  c->add_flag("--normalize", o->normalize, "Sentence vectors of length 1");
  c->callback([o] { run_export(*o); });
}

}  // namespace athanor::cli

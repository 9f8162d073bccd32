// athanor embed: sentence vectors of a pretrained encoder.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "autograd/autocast.h"
#include "cli/commands.h"
#include "cli/device_option.h"
#include "cli/text_input.h"
#include "distill/pretrained/sentence_encoder.h"
#include "tensor/base/parallel.h"
#include "tensor/io/json_scanner.h"
#include "tensor/io/npy.h"

namespace athanor::cli {
namespace {

constexpr std::size_t kBlock = 4096;  // texts that are sorted by length together

struct EmbedOptions {
  TextInput input;
  std::string model, out, normalize = "auto", device = "cpu", precision = "f32";
  std::vector<std::string> pool;
  int threads = 0;
  std::int64_t max_length = 0;
};

// The shortest digits that read back as the same float.
void append_number(std::string& out, float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

void print_lines(const std::vector<std::string>& texts, const Tensor& vectors) {
  const std::int64_t width = vectors.size(1);
  std::string out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out += "{\"text\":" + json_quoted(texts[i]) + ",\"vector\":[";
    const float* row = vectors.data<float>() + static_cast<std::int64_t>(i) * width;
    for (std::int64_t j = 0; j < width; ++j) {
      if (j > 0) out += ',';
      append_number(out, row[j]);
    }
    out += "]}\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

void run_embed(const EmbedOptions& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  distill::SentenceEncoderOptions options;
  options.max_length = o.max_length;
  distill::SentenceEncoder encoder = distill::SentenceEncoder::load(o.model, options);
  encoder.to(device_of(o.device));
  if (!o.pool.empty()) {
    std::vector<distill::TextPooling> pooling;
    for (const std::string& name : o.pool) {
      pooling.push_back(name == "mean"  ? distill::TextPooling::mean
                        : name == "cls" ? distill::TextPooling::first_token
                                        : distill::TextPooling::first_word);
    }
    encoder.set_pooling(std::move(pooling));
  }
  if (o.normalize != "auto") encoder.set_normalize(o.normalize == "on");
  std::vector<float> all;
  std::int64_t count = 0;
  const Autocast products(precision_of(o.precision));
  for_each_text_block(o.input, kBlock, [&](const std::vector<std::string>& texts) {
    const Tensor vectors = encoder.embed(texts);
    count += vectors.size(0);
    if (o.out.empty()) {
      print_lines(texts, vectors);
    } else {
      all.insert(all.end(), vectors.data<float>(), vectors.data<float>() + vectors.numel());
    }
  });
  if (!o.out.empty()) {
    save_npy(o.out, from_values(all, {count, encoder.width()}));
    std::fprintf(stderr, "%lld texts, %lld numbers each: %s\n", static_cast<long long>(count),
                 static_cast<long long>(encoder.width()), o.out.c_str());
  }
}

}  // namespace

void add_embed(CLI::App& app) {
  auto o = std::make_shared<EmbedOptions>();
  CLI::App* c = app.add_subcommand(
      "embed",
      "Example: athanor embed all-MiniLM-L6-v2 sentences.txt --out vectors.npy\n\n"
      "Sentence vectors of a pretrained BERT encoder (a folder with config.json, safetensors and "
      "tokenizer.json or vocab.txt): one JSON object a line, or an .npy file.");
  c->add_option("model", o->model, "Folder of the model")->required();
  add_text_input(*c, o->input);
  c->add_option("--out", o->out, "Write f32 [texts, width] to this .npy file");
  c->add_option("--pool", o->pool,
                "What stands for a text: mean of its tokens, cls, first-word (its first word in "
                "context), or several, each of length 1; default: as the model's files say")
      ->delimiter(',')
      ->check(CLI::IsMember({"mean", "cls", "first-word"}));
  c->add_option("--normalize", o->normalize,
                "Vectors of length 1: on, off, or as the model's modules.json says")
      ->check(CLI::IsMember({"auto", "on", "off"}))
      ->capture_default_str();
  c->add_option("--max-length", o->max_length, "Tokens of a text; 0 = as the model's files say")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_precision_option(*c, o->precision, "; bf16 is fast on CPUs with AMX or AVX512-BF16");
  add_device_option(*c, o->device);
  c->add_option("--threads", o->threads, "Threads, 0 = all cores")->check(CLI::NonNegativeNumber);
  c->callback([o] { run_embed(*o); });
}

}  // namespace athanor::cli

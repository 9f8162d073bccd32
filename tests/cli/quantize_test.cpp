// athanor quantize, then eval and predict on what it wrote.
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <string>

#include "cli/image_model.h"
#include "cli/run.h"
#include "data/idx.h"
#include "nn/models.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/distill/image_halves.h"
#include "tests/distill/temporary_directory.h"

namespace athanor::test {
namespace {

int athanor(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "athanor");
  std::vector<char*> pointers;
  for (std::string& a : arguments) pointers.push_back(a.data());
  return cli::run(static_cast<int>(pointers.size()), pointers.data());
}

}  // namespace

TEST_CASE("quantize writes a model that eval and predict read") {
  const TemporaryDirectory directory;
  write_halves(directory.path(), 64, 32);
  const std::string data = directory.path().string();
  const std::string model = data + "/model.safetensors", int8 = data + "/int8.safetensors";
  nn::ModelSpec spec;
  spec.model = "cnn";
  spec.input = {1, 8, 8};
  spec.channels = {4, 6};
  spec.classes = 2;
  Generator g(3);
  nn::save_classifier(model, nn::Classifier(spec, g));
  for (const char* ranges : {"min-max", "moving-average", "percentile"}) {
    CHECK(athanor({"quantize", model, "--data", data, "--out", int8, "--ranges", ranges}) == 0);
    CHECK(std::filesystem::file_size(int8) < std::filesystem::file_size(model));
  }
  CHECK(athanor({"quantize", model, "--data", data, "--out", int8, "--json"}) == 0);
  CHECK(athanor({"eval", int8, "--data", data}) == 0);
  CHECK(athanor({"predict", int8, data + "/t10k-images-idx3-ubyte", "--json"}) == 0);

  const cli::ImageModel real(model, Device{}), quantized(int8, Device{});
  CHECK_FALSE(real.quantized());
  CHECK(quantized.quantized());
  Generator pixels(4);
  const Tensor x = random_uniform({700, 1, 8, 8}, pixels, 0, 0.8);
  const Tensor expected = real.logits(x);
  // 8 bits a layer leave errors of some percent of the logits' range.
  CHECK(amax(abs(sub(quantized.logits(x), expected))).item() <
        0.1 * (amax(expected).item() - amin(expected).item()));

  // What does not fit.
  CHECK(athanor({"quantize", int8, "--data", data, "--out", int8}) == 3);
  CHECK(athanor({"quantize", model, "--data", data + "/none", "--out", int8}) == 3);
  CHECK(athanor({"quantize", model, "--data", data, "--out", int8, "--ranges", "widest"}) == 2);
  CHECK(athanor({"quantize", model, "--data", data, "--out", int8, "--percentile", "40"}) == 2);
  spec.model = "vit";
  nn::save_classifier(model, nn::Classifier(spec, g));
  CHECK(athanor({"quantize", model, "--data", data, "--out", int8}) == 2);
  spec.model = "cnn";
  spec.input = {3, 8, 8};
  nn::save_classifier(model, nn::Classifier(spec, g));
  CHECK(athanor({"quantize", model, "--data", data, "--out", int8}) == 3);
}

}  // namespace athanor::test

// The gradients of examples/tiny against the library's: the program prints its numbers, the same
// step is made here from its inputs.
#include <catch2/catch.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "autograd/ops.h"

using namespace athanor;

namespace {

// What `tiny --gradients` prints: a name, rows, columns and the values on each line.
std::map<std::string, Tensor> run_tiny() {
  const auto close_pipe = [](FILE* f) { pclose(f); };
  const std::unique_ptr<FILE, decltype(close_pipe)> pipe(
      popen("\"" ATHANOR_TINY "\" --gradients", "r"), close_pipe);
  REQUIRE(pipe);
  std::string text;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) {
    text += static_cast<char>(c);
  }
  std::map<std::string, Tensor> matrices;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t rows = 0, cols = 0;
    words >> name >> rows >> cols;
    std::vector<double> values;
    for (double v = 0; words >> v;) values.push_back(v);
    matrices.emplace(name, from_values(values, {rows, cols}));
  }
  return matrices;
}

}  // namespace

TEST_CASE("the gradients of examples/tiny are the library's") {
  const auto tiny = run_tiny();
  const auto leaf = [&](const char* name) { return Variable(tiny.at(name), true); };
  const Variable w1 = leaf("w1"), b1 = leaf("b1"), w2 = leaf("w2"), b2 = leaf("b2");
  const Variable hidden = relu(matmul(tiny.at("x"), w1) + b1);
  const Variable logits = matmul(hidden, w2) + b2;
  const Variable loss = soft_cross_entropy(logits, tiny.at("one_hot")) * 0.3 +
                        kl_div_with_temperature(logits, tiny.at("teacher"), 2) * 0.7;
  CHECK(loss.item() == Approx(tiny.at("loss").item()).epsilon(1e-13));
  loss.backward();
  const std::pair<const char*, Variable> parameters[] = {
      {"dw1", w1}, {"db1", b1}, {"dw2", w2}, {"db2", b2}};
  for (const auto& [name, parameter] : parameters) {
    INFO(name);
    const Tensor& expected = tiny.at(name);
    REQUIRE(parameter.grad().shape() == expected.shape());
    CHECK(amax(abs(expected)).item() > 1e-3);
    CHECK(amax(abs(sub(parameter.grad().tensor(), expected))).item() < 1e-13);
  }
}

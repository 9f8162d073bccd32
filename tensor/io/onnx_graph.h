// ONNX models (https://onnx.ai), built node by node and encoded. Reading them is not offered.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/tensor.h"

namespace athanor {

// A value of a node's attribute: a number, numbers, or a text.
using OnnxAttribute =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;
using OnnxAttributes = std::vector<std::pair<std::string, OnnxAttribute>>;

// The size of an axis: a number, or the name of one that may vary ("batch").
using OnnxAxis = std::variant<std::int64_t, std::string>;

// A graph of the standard operators of opset 17 (IR version 8). Values are named; the builder does
// not check that names exist or types fit: onnx.checker does.
class OnnxGraph {
 public:
  explicit OnnxGraph(std::string name) : name_(std::move(name)) {}

  void input(const std::string& name, DType dtype, const std::vector<OnnxAxis>& shape);
  void output(const std::string& name, DType dtype, const std::vector<OnnxAxis>& shape);
  // A constant tensor; returns its name. Throws when a name comes twice, and for u8, i8, i32, i64,
  // f16, bf16, f32, f64, bool alone.
  std::string constant(const std::string& name, const Tensor& value);
  // i64 constants of one axis, as shapes and axes are given.
  std::string integers(const std::vector<std::int64_t>& values);
  // An f32 constant without axes.
  std::string number(double value);
  // A node with one output, whose new name is returned.
  std::string node(const std::string& op, const std::vector<std::string>& inputs,
                   const OnnxAttributes& attributes = {});
  // The same with a given name for the output.
  void node_as(const std::string& output, const std::string& op,
               const std::vector<std::string>& inputs, const OnnxAttributes& attributes = {});
  void metadata(const std::string& key, const std::string& value);

  // The bytes of the file. Throws usage when they reach 2 GiB, which protobuf cannot hold.
  std::string encode() const;

 private:
  std::string fresh(const std::string& stem);

  std::string name_;
  std::string nodes_, constants_, inputs_, outputs_, metadata_;  // encoded fields of the messages
  std::vector<std::string> constant_names_;
  std::int64_t count_ = 0;
};

}  // namespace athanor

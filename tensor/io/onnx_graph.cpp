#include "tensor/io/onnx_graph.h"

#include <algorithm>
#include <cstring>

#include "tensor/base/version.h"
#include "tensor/io/bytes.h"

namespace athanor {
namespace {

// Protocol buffers' wire format: each field is a key (number << 3 | wire type) and its content.
// Field numbers below are those of onnx.proto.
constexpr int kVarint = 0, kBytes = 2, kFixed32 = 5;

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_key(std::string& out, int field, int wire) {
  put_varint(out, static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
}
void put_integer(std::string& out, int field, std::int64_t value) {
  put_key(out, field, kVarint);
  put_varint(out, static_cast<std::uint64_t>(value));
}
void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, kBytes);
  put_varint(out, bytes.size());
  out += bytes;
}
void put_float(std::string& out, int field, double value) {
  const auto narrow = static_cast<float>(value);
  put_key(out, field, kFixed32);
  char bytes[4];
  std::memcpy(bytes, &narrow, 4);
  out.append(bytes, 4);
}

int element_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 1;
    case DType::u8:
      return 2;
    case DType::i8:
      return 3;
    case DType::i32:
      return 6;
    case DType::i64:
      return 7;
    case DType::boolean:
      return 9;
    case DType::f16:
      return 10;
    case DType::f64:
      return 11;
    case DType::bf16:
      return 16;
  }
  fail("onnx", "expected a dtype that ONNX knows, got ", dtype);
}

std::string tensor_message(const std::string& name, const Tensor& value) {
  std::string out;
  for (const std::int64_t size : value.shape()) put_integer(out, 1, size);
  put_integer(out, 2, element_type(value.dtype()));
  put_bytes(out, 8, name);
  std::string raw;
  raw.reserve(static_cast<std::size_t>(value.numel() * size_of(value.dtype())));
  for_each_row_major_piece(value,
                           [&](const char* data, std::size_t size) { raw.append(data, size); });
  put_bytes(out, 9, raw);
  return out;
}

std::string value_message(const std::string& name, DType dtype, const std::vector<OnnxAxis>& axes) {
  std::string shape;
  for (const OnnxAxis& axis : axes) {
    std::string dim;
    if (const auto* size = std::get_if<std::int64_t>(&axis)) {
      put_integer(dim, 1, *size);
    } else {
      put_bytes(dim, 2, std::get<std::string>(axis));
    }
    put_bytes(shape, 1, dim);
  }
  std::string tensor, type, out;
  put_integer(tensor, 1, element_type(dtype));
  put_bytes(tensor, 2, shape);
  put_bytes(type, 1, tensor);
  put_bytes(out, 1, name);
  put_bytes(out, 2, type);
  return out;
}

struct PutAttribute {
  std::string& out;
  void operator()(std::int64_t value) const {
    put_integer(out, 3, value);
    put_integer(out, 20, 2);
  }
  void operator()(double value) const {
    put_float(out, 2, value);
    put_integer(out, 20, 1);
  }
  void operator()(const std::string& value) const {
    put_bytes(out, 4, value);
    put_integer(out, 20, 3);
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    for (const std::int64_t value : values) put_integer(out, 8, value);
    put_integer(out, 20, 7);
  }
  void operator()(const std::vector<double>& values) const {
    for (const double value : values) put_float(out, 7, value);
    put_integer(out, 20, 6);
  }
};

}  // namespace

void OnnxGraph::input(const std::string& name, DType dtype, const std::vector<OnnxAxis>& shape) {
  put_bytes(inputs_, 11, value_message(name, dtype, shape));
}

void OnnxGraph::output(const std::string& name, DType dtype, const std::vector<OnnxAxis>& shape) {
  put_bytes(outputs_, 12, value_message(name, dtype, shape));
}

std::string OnnxGraph::constant(const std::string& name, const Tensor& value) {
  if (std::find(constant_names_.begin(), constant_names_.end(), name) != constant_names_.end()) {
    fail("onnx", "expected each constant once, got ", name, " twice");
  }
  constant_names_.push_back(name);
  put_bytes(constants_, 5, tensor_message(name, value));
  return name;
}

std::string OnnxGraph::fresh(const std::string& stem) { return str(stem, "_", count_++); }

std::string OnnxGraph::integers(const std::vector<std::int64_t>& values) {
  return constant(fresh("integers"), from_values(values, {std::ssize(values)}));
}

std::string OnnxGraph::number(double value) {
  return constant(fresh("number"), from_values({static_cast<float>(value)}, {}));
}

std::string OnnxGraph::node(const std::string& op, const std::vector<std::string>& inputs,
                            const OnnxAttributes& attributes) {
  const std::string output = fresh(op);
  node_as(output, op, inputs, attributes);
  return output;
}

void OnnxGraph::node_as(const std::string& output, const std::string& op,
                        const std::vector<std::string>& inputs, const OnnxAttributes& attributes) {
  std::string message;
  for (const std::string& input : inputs) put_bytes(message, 1, input);
  put_bytes(message, 2, output);
  put_bytes(message, 3, "node_" + output);
  put_bytes(message, 4, op);
  for (const auto& [name, value] : attributes) {
    std::string attribute;
    put_bytes(attribute, 1, name);
    std::visit(PutAttribute{attribute}, value);
    put_bytes(message, 5, attribute);
  }
  put_bytes(nodes_, 1, message);
}

void OnnxGraph::metadata(const std::string& key, const std::string& value) {
  std::string entry;
  put_bytes(entry, 1, key);
  put_bytes(entry, 2, value);
  put_bytes(metadata_, 14, entry);
}

std::string OnnxGraph::encode() const {
  constexpr std::int64_t kIrVersion = 8, kOpset = 17;
  const std::size_t size = nodes_.size() + constants_.size() + inputs_.size() + outputs_.size() +
                           metadata_.size() + name_.size();
  if (size >= (std::size_t{1} << 31) - 4096) {
    raise(ErrorKind::usage,
          "onnx: expected a model below 2 GiB, which is all that an ONNX file "
          "without external data can hold, got ",
          size, " bytes");
  }
  std::string graph = nodes_;
  put_bytes(graph, 2, name_);
  graph += constants_;
  graph += inputs_;
  graph += outputs_;
  std::string opset, out;
  put_integer(opset, 2, kOpset);  // of the standard domain ""
  put_integer(out, 1, kIrVersion);
  put_bytes(out, 2, "athanor");
  put_bytes(out, 3, kVersion);
  put_bytes(out, 7, graph);
  put_bytes(out, 8, opset);
  out += metadata_;
  return out;
}

}  // namespace athanor

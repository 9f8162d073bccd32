#include "data/json_document.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tensor/io/bytes.h"

namespace athanor::data {
namespace {

using Json = nlohmann::json;

// Builds the document from the parser's events, so that it never grows deeper than the limit: a
// deep document overflows the stack when it is copied or destroyed.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view file, const JsonLimits& limits) : file_(file), limits_(limits) {}

  Json root;

  bool null() override { return place(nullptr) != nullptr; }
  bool boolean(bool v) override { return place(v) != nullptr; }
  bool number_integer(number_integer_t v) override { return place(v) != nullptr; }
  bool number_unsigned(number_unsigned_t v) override { return place(v) != nullptr; }
  bool number_float(number_float_t v, const string_t&) override { return place(v) != nullptr; }
  bool string(string_t& v) override { return place(std::move(v)) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& members = open_.back()->get_ref<Json::object_t&>();
    const auto [at, fresh] = members.try_emplace(std::move(name));
    if (!fresh) {
      raise(ErrorKind::bad_input, file_, ": member \"", at->first.substr(0, 80),
            "\": expected each name once in an object, found it twice");
    }
    member_ = &at->second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    std::string what = error.what();
    if (const auto at = what.find("syntax error"); at != std::string::npos) what.erase(0, at);
    malformed(file_, position, "JSON", what.substr(0, 200));
  }

 private:
  Json* place(Json value) {
    if (++values_ > limits_.max_values) {
      raise(ErrorKind::bad_input, file_, ": JSON: expected at most ", limits_.max_values,
            " values, found more");
    }
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    *member_ = std::move(value);
    return member_;
  }
  bool open(Json container) {
    if (static_cast<int>(open_.size()) >= limits_.max_depth) {
      raise(ErrorKind::bad_input, file_, ": JSON: expected nesting of at most ", limits_.max_depth,
            ", found deeper");
    }
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view file_;
  const JsonLimits& limits_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;
  std::size_t values_ = 0;
};

}  // namespace

Json parse_json(std::span<const std::byte> bytes, std::string_view file, const Limits& limits,
                const JsonLimits& json_limits) {
  if (bytes.size() > limits.max_bytes) {
    malformed(file, 0, "JSON", "expected at most ", limits.max_bytes, " bytes, found ",
              bytes.size());
  }
  Builder builder(file, json_limits);
  const auto* begin = reinterpret_cast<const char*>(bytes.data());
  Json::sax_parse(begin, begin + bytes.size(), &builder);
  return std::move(builder.root);
}

}  // namespace athanor::data

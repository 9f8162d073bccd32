#include "data/json_field.h"

namespace athanor::data {

JsonField JsonField::operator[](const char* name) const {
  static const nlohmann::json kNull;
  if (!value_->is_object()) refuse("an object");
  const auto at = value_->find(name);
  const std::string path = path_.empty() ? name : path_ + "." + name;
  return {at == value_->end() ? kNull : *at, file_, path};
}

std::vector<JsonField> JsonField::elements() const {
  if (!value_->is_array()) refuse("an array");
  std::vector<JsonField> result;
  result.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i) {
    result.emplace_back((*value_)[i], file_, path_ + "[" + std::to_string(i) + "]");
  }
  return result;
}

std::vector<std::pair<std::string, JsonField>> JsonField::members() const {
  if (!value_->is_object()) refuse("an object");
  std::vector<std::pair<std::string, JsonField>> result;
  result.reserve(value_->size());
  for (const auto& [name, value] : value_->items()) {
    result.emplace_back(name, JsonField(value, file_, path_ + "[\"" + name.substr(0, 80) + "\"]"));
  }
  return result;
}

const std::string& JsonField::text() const {
  if (!value_->is_string()) refuse("a string");
  return value_->get_ref<const std::string&>();
}

std::string JsonField::text_or(std::string_view otherwise) const {
  return is_null() ? std::string(otherwise) : text();
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) refuse("true or false");
  return value_->get<bool>();
}

std::int64_t JsonField::integer(std::int64_t low, std::int64_t high) const {
  const bool fits =
      value_->is_number_integer() &&
      !(value_->is_number_unsigned() && value_->get<std::uint64_t>() > std::uint64_t{INT64_MAX}) &&
      value_->get<std::int64_t>() >= low && value_->get<std::int64_t>() <= high;
  if (!fits) refuse(str("an integer from ", low, " to ", high));
  return value_->get<std::int64_t>();
}

double JsonField::number() const {
  if (!value_->is_number()) refuse("a number");
  return value_->get<double>();
}

std::size_t JsonField::choice(const std::vector<std::string_view>& names) const {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (is_string() && text() == names[i]) return i;
    list += (i ? ", " : "") + std::string(names[i]);
  }
  refuse("one of " + list);
}

void JsonField::refuse(std::string_view expected) const {
  std::string found = value_->is_object() ? "an object"
                      : value_->is_array()
                          ? "an array"
                          : value_->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (found.size() > 100) found = found.substr(0, 100) + "...";
  raise(ErrorKind::bad_input, file_, ": ", path_.empty() ? "document" : path_, ": expected ",
        expected, ", found ", is_null() ? "nothing" : found);
}

}  // namespace athanor::data

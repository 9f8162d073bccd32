// A small check that markup is well-formed XML: tags nest, attributes are quoted and unique, text
// and attribute values hold no bare '<' or '&'.
#pragma once

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace athanor {

// "" when well-formed, else what is wrong and where.
inline std::string xml_problem(std::string_view text) {
  std::vector<std::string> open;
  std::size_t at = 0;
  const auto problem = [&](const std::string& what) {
    return what + " at byte " + std::to_string(at) + ": " + std::string(text.substr(at, 60));
  };
  const auto is_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == ':';
  };
  const auto bad_entity = [](std::string_view value) {
    for (std::size_t i = value.find('&'); i != std::string_view::npos; i = value.find('&', i + 1)) {
      const std::string_view rest = value.substr(i, 7);
      bool known = false;
      for (const char* entity : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"}) {
        known = known || rest.starts_with(entity);
      }
      if (!known) return true;
    }
    return value.find('<') != std::string_view::npos;
  };
  while (at < text.size()) {
    if (text[at] != '<') {
      const std::size_t end = std::min(text.find('<', at), text.size());
      if (bad_entity(text.substr(at, end - at))) return problem("bare '&'");
      at = end;
      continue;
    }
    const bool closing = text.substr(at).starts_with("</");
    std::size_t i = at + (closing ? 2 : 1);
    std::string name;
    while (i < text.size() && is_name(text[i])) name += text[i++];
    if (name.empty()) return problem("tag without a name");
    std::set<std::string> attributes;
    bool empty = false;
    while (true) {
      while (i < text.size() && std::isspace(static_cast<unsigned char>(text[i]))) ++i;
      if (i >= text.size()) return problem("unfinished tag");
      if (text[i] == '>') break;
      if (text[i] == '/' && i + 1 < text.size() && text[i + 1] == '>') {
        empty = true;
        ++i;
        break;
      }
      std::string key;
      while (i < text.size() && is_name(text[i])) key += text[i++];
      if (key.empty() || text.substr(i, 2) != "=\"") return problem("bad attribute");
      const std::size_t end = text.find('"', i + 2);
      if (end == std::string_view::npos) return problem("unquoted attribute");
      if (bad_entity(text.substr(i + 2, end - i - 2))) return problem("bare character");
      if (!attributes.insert(key).second) return problem("attribute twice");
      i = end + 1;
    }
    if (closing) {
      if (open.empty() || open.back() != name) return problem("tag closed out of order");
      open.pop_back();
    } else if (!empty) {
      open.push_back(name);
    }
    at = i + 1;
  }
  return open.empty() ? "" : "tag " + open.back() + " is never closed";
}

}  // namespace athanor

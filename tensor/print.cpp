#include "tensor/print.h"
#include "tensor/host.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <mutex>
#include <vector>

namespace athanor {
namespace {

std::mutex options_mutex;
PrintOptions current_options;

template <class T>
std::string fixed_text(T value, int precision) {
  std::array<char, 512> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::fixed, precision)
                       .ptr;
  return std::string(buffer.data(), end);
}

// The fewest digits that give `value` back when read as a T, as d.ddde+xx.
template <class T>
std::string shortest_scientific(compute_t<T> value) {
  std::array<char, 64> buffer;
  for (int digits = 0;; ++digits) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::scientific, digits)
                         .ptr;
    compute_t<T> back{};
    std::from_chars(buffer.data(), end, back);
    if (static_cast<compute_t<T>>(static_cast<T>(back)) == value || digits == 17) {
      return std::string(buffer.data(), end);
    }
  }
}

// A number in pieces, to be aligned at the point: "-12", "5", "e+10".
struct Pieces {
  std::string whole, fraction, exponent;
};

void drop_zeros(std::string& fraction) {
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
}

template <class T>
Pieces scientific_pieces(compute_t<T> value, int precision) {
  std::string text = shortest_scientific<T>(value);
  std::size_t e = text.find('e'), point = text.find('.');
  if (point != std::string::npos && e - point - 1 > static_cast<std::size_t>(precision)) {
    std::array<char, 64> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::scientific, precision)
                         .ptr;
    text = std::string(buffer.data(), end);
    e = text.find('e');
    point = text.find('.');
  }
  Pieces pieces{text.substr(0, std::min(point, e)), "", text.substr(e)};
  if (point != std::string::npos) pieces.fraction = text.substr(point + 1, e - point - 1);
  drop_zeros(pieces.fraction);
  return pieces;
}

template <class T>
Pieces fixed_pieces(compute_t<T> value, int precision) {
  // As many decimals as the shortest form has, which is d.ddd times 10^exponent.
  const Pieces shortest = scientific_pieces<T>(value, 17);
  const int exponent = std::stoi(shortest.exponent.substr(1));
  const int decimals = std::max(0, static_cast<int>(shortest.fraction.size()) - exponent);
  const std::string text = fixed_text(value, std::min(decimals, precision));
  const std::size_t point = text.find('.');
  Pieces pieces{text.substr(0, point), "", ""};
  if (point != std::string::npos) pieces.fraction = text.substr(point + 1);
  drop_zeros(pieces.fraction);
  return pieces;
}

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

// Texts of equal width for floating values.
template <class T>
std::vector<std::string> float_texts(const std::vector<compute_t<T>>& values, int precision) {
  double largest = 0, smallest = 0;
  for (const auto v : values) {
    const double magnitude = std::abs(static_cast<double>(v));
    if (!std::isfinite(magnitude) || magnitude == 0) continue;
    largest = std::max(largest, magnitude);
    smallest = smallest == 0 ? magnitude : std::min(smallest, magnitude);
  }
  const bool scientific =
      largest >= 1e8 || (smallest > 0 && (smallest < 1e-4 || largest / smallest > 1000));
  std::vector<Pieces> all;
  std::size_t left = 0, right = 0, tail = 0;
  for (const auto v : values) {
    if (!std::isfinite(v)) {
      all.emplace_back();
      continue;
    }
    all.push_back(scientific ? scientific_pieces<T>(v, precision) : fixed_pieces<T>(v, precision));
    left = std::max(left, all.back().whole.size());
    right = std::max(right, all.back().fraction.size());
    tail = std::max(tail, all.back().exponent.size());
  }
  std::size_t width = left + 1 + right + tail;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      texts.push_back(std::isnan(values[i]) ? "nan" : values[i] > 0 ? "inf" : "-inf");
      width = std::max(width, texts.back().size());
      continue;
    }
    // Scientific numbers get the same digits, others spaces in their place.
    const std::string fill(right - all[i].fraction.size(), scientific ? '0' : ' ');
    texts.push_back(all[i].whole + "." + all[i].fraction + fill + all[i].exponent);
  }
  for (std::string& text : texts) text = padded(text, width);
  return texts;
}

template <class T>
std::vector<std::string> plain_texts(const std::vector<T>& values) {
  std::vector<std::string> texts;
  std::size_t width = 0;
  for (const T value : values) {
    if constexpr (std::is_same_v<T, bool>) {
      texts.push_back(value ? "true" : "false");
    } else {
      texts.push_back(std::to_string(value));
    }
    width = std::max(width, texts.back().size());
  }
  for (std::string& text : texts) text = padded(text, width);
  return texts;
}

// Writes a tensor; goes over the shown elements twice, first to learn their texts.
class Printer {
 public:
  Printer(const Tensor& t, const PrintOptions& options)
      : t_(to_host(t)), options_(options), summarise_(t.numel() > options.threshold) {}

  std::string run() {
    visit(t_.dtype(), [&]<class T>(Tag<T>) { collect_texts<T>(); });
    text_ = "tensor(";
    if (t_.numel() == 0) {
      text_ += str("[], shape=", t_.shape());
    } else {
      write(0, static_cast<int>(text_.size()));
      if (shortened_) text_ += str(", shape=", t_.shape());
    }
    return text_ + str(", ", t_.dtype(), ")");
  }

 private:
  // Calls f(index) for the shown indices of an axis, f(-1) in place of those left out.
  template <class F>
  void for_each_shown(int axis, F&& f) {
    const std::int64_t n = t_.shape()[axis], edge = options_.edge_items;
    const bool shorten = summarise_ && n > 2 * edge;
    for (std::int64_t i = 0; i < n; ++i) {
      if (shorten && i == edge) {
        shortened_ = true;
        f(-1);
        i = n - edge;
        if (edge == 0) break;
      }
      f(i);
    }
  }

  template <class T>
  void collect(int axis, std::int64_t at, std::vector<compute_t<T>>& values) {
    if (axis == t_.rank()) {
      values.push_back(static_cast<compute_t<T>>(static_cast<const T*>(t_.raw())[at]));
      return;
    }
    for_each_shown(axis, [&](std::int64_t i) {
      if (i >= 0) collect<T>(axis + 1, at + i * t_.strides()[axis], values);
    });
  }

  template <class T>
  void collect_texts() {
    std::vector<compute_t<T>> values;
    if (t_.numel() > 0) collect<T>(0, 0, values);
    if constexpr (std::is_floating_point_v<compute_t<T>>) {
      texts_ = float_texts<T>(values, options_.precision);
    } else {
      texts_ = plain_texts<T>(values);
    }
    if (t_.rank() == 0) texts_[0].erase(0, texts_[0].find_first_not_of(' '));
  }

  // Adds a word to a row, on a new line if it does not fit.
  void add_word(const std::string& word, int indent) {
    if (text_.size() - line_ + word.size() + 1 > static_cast<std::size_t>(options_.line_width)) {
      while (text_.back() == ' ') text_.pop_back();
      new_line(1, indent);
    }
    text_ += word;
  }
  void new_line(int count, int indent) {
    text_ += std::string(static_cast<std::size_t>(count), '\n');
    line_ = text_.size();
    text_ += std::string(static_cast<std::size_t>(indent), ' ');
  }

  // The part of the tensor that begins with `axis`; its bracket stands at column `indent`.
  void write(int axis, int indent) {
    if (axis == t_.rank()) {
      text_ += texts_[next_++];
      return;
    }
    const bool row = axis + 1 == t_.rank();
    text_ += '[';
    bool first = true;
    for_each_shown(axis, [&](std::int64_t i) {
      if (!first) text_ += ',';
      if (row) {
        if (!first) text_ += ' ';
        add_word(i < 0 ? "..." : texts_[next_++], indent + 1);
      } else {
        if (!first) new_line(t_.rank() - axis - 1, indent + 1);
        if (i < 0) {
          text_ += "...";
        } else {
          write(axis + 1, indent + 1);
        }
      }
      first = false;
    });
    text_ += ']';
  }

  const Tensor t_;
  const PrintOptions& options_;
  bool summarise_, shortened_ = false;
  std::vector<std::string> texts_;
  std::size_t next_ = 0;
  std::string text_;
  std::size_t line_ = 0;  // where the current line begins in text_
};

}  // namespace

std::string to_text(const Tensor& t, const PrintOptions& options) {
  if (options.precision < 0 || options.edge_items < 0) {
    fail("print", "expected precision and edge_items >= 0, got ", options.precision, " and ",
         options.edge_items);
  }
  if (!t.defined()) return "undefined tensor";
  return Printer(t, options).run();
}

std::string to_text(const Tensor& t) { return to_text(t, print_options()); }

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_text(t); }

void set_print_options(const PrintOptions& options) {
  const std::lock_guard lock(options_mutex);
  current_options = options;
}

PrintOptions print_options() {
  const std::lock_guard lock(options_mutex);
  return current_options;
}

}  // namespace athanor

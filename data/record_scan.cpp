#include "data/record_scan.h"

namespace athanor::data {
namespace {

std::string_view without_cr(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

void split(std::string_view line, char delimiter, std::vector<std::string_view>& fields) {
  for (;;) {
    const std::size_t end = line.find(delimiter);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return;
    line.remove_prefix(end + 1);
  }
}

std::string undoubled(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '"') ++i;
  }
  return out;
}

// The record with quotes, field by field.
class QuotedScan {
 public:
  QuotedScan(std::string_view window, bool at_end, char delimiter,
             std::vector<std::string_view>& fields, std::deque<std::string>& decoded)
      : window_(window),
        at_end_(at_end),
        delimiter_(delimiter),
        fields_(fields),
        decoded_(decoded) {}

  RecordScan run() {
    for (;;) {
      const bool quoted = at_ < window_.size() && window_[at_] == '"';
      const RecordScan::Status status = quoted ? quoted_field() : plain_field();
      if (status != RecordScan::Status::whole) return stop(status);
      if (last_) return {RecordScan::Status::whole, at_, 0, 0};
    }
  }

 private:
  RecordScan stop(RecordScan::Status status) const {
    return {status, 0, fields_.size(), at_ < window_.size() ? window_[at_] : '\0'};
  }

  RecordScan::Status plain_field() {
    const char ends[2] = {delimiter_, '\n'};
    const std::size_t end = window_.find_first_of(std::string_view(ends, 2), at_);
    if (end == std::string_view::npos && !at_end_) return RecordScan::Status::more;
    const bool delimited = end != std::string_view::npos && window_[end] == delimiter_;
    const std::string_view text = window_.substr(at_, end - at_);
    fields_.push_back(delimited ? text : without_cr(text));
    last_ = !delimited;
    at_ = end == std::string_view::npos ? window_.size() : end + 1;
    return RecordScan::Status::whole;
  }

  RecordScan::Status quoted_field() {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    bool doubled = false;
    for (;; end += 2) {
      end = window_.find('"', end);
      if (end == std::string_view::npos) {
        return at_end_ ? RecordScan::Status::unterminated : RecordScan::Status::more;
      }
      if (end + 1 >= window_.size() || window_[end + 1] != '"') break;
      doubled = true;
    }
    std::size_t after = end + 1;
    if (after < window_.size() && window_[after] == '\r') ++after;
    if (after >= window_.size() && !at_end_) return RecordScan::Status::more;
    const bool carriage = after > end + 1;
    const bool delimited = !carriage && after < window_.size() && window_[after] == delimiter_;
    if (after < window_.size() && window_[after] != '\n' && !delimited) {
      at_ = end + 1;
      return RecordScan::Status::stray;
    }
    const std::string_view text = window_.substr(begin, end - begin);
    fields_.push_back(doubled ? std::string_view(decoded_.emplace_back(undoubled(text))) : text);
    last_ = !delimited;
    at_ = after < window_.size() ? after + 1 : after;
    return RecordScan::Status::whole;
  }

  const std::string_view window_;
  const bool at_end_;
  const char delimiter_;
  std::vector<std::string_view>& fields_;
  std::deque<std::string>& decoded_;
  std::size_t at_ = 0;
  bool last_ = false;
};

}  // namespace

RecordScan scan_record(std::string_view window, bool at_end, char delimiter, bool quoted,
                       std::vector<std::string_view>& fields, std::deque<std::string>& decoded) {
  fields.clear();
  decoded.clear();
  const std::size_t newline = window.find('\n');
  if (newline == std::string_view::npos && !at_end) return {RecordScan::Status::more, 0, 0, 0};
  const std::string_view line = window.substr(0, newline);
  if (quoted && line.find('"') != std::string_view::npos) {
    return QuotedScan(window, at_end, delimiter, fields, decoded).run();
  }
  split(without_cr(line), delimiter, fields);
  return {RecordScan::Status::whole,
          newline == std::string_view::npos ? window.size() : newline + 1, 0, 0};
}

}  // namespace athanor::data

// Where the next record of a delimited file ends, and its fields.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::data {

struct RecordScan {
  enum class Status {
    whole,         // a record of `length` bytes, line end included
    more,          // the record reaches beyond the window
    unterminated,  // a quoted field begins that does not end in the window
    stray          // something stands between a closing quote and the next delimiter
  };
  Status status = Status::whole;
  std::size_t length = 0;
  std::size_t field = 0;  // index of the field with the problem
  char found = 0;         // the stray character
};

// Scans the record at the front of `window` (RFC 4180; a line ends with LF or CR LF; a quote inside
// an unquoted field stands for itself). `at_end`: nothing follows the window. Fields are views into
// the window, or into `decoded` where doubled quotes had to be resolved.
RecordScan scan_record(std::string_view window, bool at_end, char delimiter, bool quoted,
                       std::vector<std::string_view>& fields, std::deque<std::string>& decoded);

}  // namespace athanor::data

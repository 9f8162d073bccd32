#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "tensor/base/error.h"
#include "tensor/io/bytes.h"

namespace athanor::data {
namespace {

// zlib counts in 32-bit words; longer buffers are handed over in pieces.
uInt piece_of(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class Inflater {
 public:
  Inflater(std::span<const std::byte> bytes, std::string_view file, const Limits& limits)
      : input_(bytes), file_(file), limits_(limits) {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) {
      raise(ErrorKind::out_of_resources, file_, ": no memory to decompress");
    }
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::vector<std::byte> run() {
    grow();
    for (;;) {
      if (filled_ == output_.size()) grow();
      const int status = step();
      if (status == Z_STREAM_END) {
        if (consumed_ == input_.size()) break;
        begin_next_member();
      } else if (status == Z_BUF_ERROR || (status == Z_OK && starved())) {
        if (consumed_ == input_.size() && filled_ < output_.size()) {
          malformed(file_, consumed_, "gzip stream", "expected more bytes, found the end");
        }
      } else if (status == Z_MEM_ERROR) {
        raise(ErrorKind::out_of_resources, file_, ": no memory to decompress");
      } else if (status != Z_OK) {
        malformed(file_, consumed_, "gzip stream", "expected valid data, found ",
                  stream_.msg != nullptr ? stream_.msg : "an error");
      }
    }
    output_.resize(filled_);
    return std::move(output_);
  }

 private:
  bool starved() const { return consumed_ == input_.size() && filled_ < output_.size(); }

  int step() {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input_.data() + consumed_));
    const uInt available_in = stream_.avail_in = piece_of(input_.size() - consumed_);
    stream_.next_out = reinterpret_cast<Bytef*>(output_.data() + filled_);
    const uInt available_out = stream_.avail_out = piece_of(output_.size() - filled_);
    const int status = inflate(&stream_, Z_NO_FLUSH);
    consumed_ += available_in - stream_.avail_in;
    filled_ += available_out - stream_.avail_out;
    if (filled_ > limits_.max_bytes) {
      malformed(file_, consumed_, "gzip stream", "expected at most ", limits_.max_bytes,
                " bytes decompressed, found more");
    }
    return status;
  }

  void begin_next_member() {
    if (!is_gzip(input_.subspan(consumed_))) {
      malformed(file_, consumed_, "end of gzip stream", "expected no more bytes, found ",
                input_.size() - consumed_);
    }
    inflateReset(&stream_);
  }

  // Doubles the output up to one byte beyond the limit, where step() notices.
  void grow() {
    const std::size_t wanted = std::max<std::size_t>(output_.size() * 2, input_.size() * 2 + 4096);
    output_.resize(std::min<std::uint64_t>(wanted, limits_.max_bytes + 1));
  }

  std::span<const std::byte> input_;
  std::string_view file_;
  const Limits& limits_;
  z_stream stream_ = {};
  std::vector<std::byte> output_;
  std::size_t consumed_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::vector<std::byte> gunzip(std::span<const std::byte> bytes, std::string_view file,
                              const Limits& limits) {
  if (!is_gzip(bytes)) malformed(file, 0, "gzip magic", "expected 1f 8b");
  return Inflater(bytes, file, limits).run();
}

std::string gzip(std::string_view bytes, int level) {
  if (level < 0 || level > 9) fail("gzip", "expected level in [0, 9], got ", level);
  z_stream stream = {};
  if (deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    raise(ErrorKind::out_of_resources, "[gzip] no memory to compress");
  }
  std::string result;
  char buffer[1 << 16];
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  std::size_t remaining = bytes.size();
  int status = Z_OK;
  while (status == Z_OK) {
    if (stream.avail_in == 0) {
      stream.avail_in = piece_of(remaining);
      remaining -= stream.avail_in;
    }
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof(buffer);
    status = deflate(&stream, remaining == 0 ? Z_FINISH : Z_NO_FLUSH);
    result.append(buffer, sizeof(buffer) - stream.avail_out);
  }
  deflateEnd(&stream);
  if (status != Z_STREAM_END) raise(ErrorKind::runtime, "[gzip] compression failed: ", status);
  return result;
}

}  // namespace athanor::data

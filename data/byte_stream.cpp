#include "data/byte_stream.h"

#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "data/gzip.h"
#include "tensor/base/error.h"
#include "tensor/io/bytes.h"

namespace athanor::data {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 18;

}  // namespace

struct ByteStream::State {
  std::string name;
  std::FILE* file = nullptr;
  std::uint64_t size = 0, taken = 0;
  std::vector<unsigned char> input;  // bytes of the file that are not used yet: [begin, end)
  std::size_t begin = 0, end = 0;
  bool gzip = false, member_open = false;
  z_stream stream = {};

  ~State() {
    if (gzip) inflateEnd(&stream);
    if (file) std::fclose(file);
  }

  // False at the end of the file.
  bool fill() {
    if (begin < end) return true;
    begin = 0;
    end = std::fread(input.data(), 1, input.size(), file);
    if (std::ferror(file)) {
      raise(ErrorKind::bad_input, name, ": cannot be read: ", std::strerror(errno));
    }
    taken += end;
    return end > 0;
  }

  // Called where a member ended or the file begins.
  bool begin_member() {
    if (!fill()) return false;
    // A magic number that is cut by the end of a piece is told apart by inflate itself.
    const std::size_t have = std::min<std::size_t>(end - begin, 2);
    if (input[begin] != 0x1f || (have == 2 && input[begin + 1] != 0x8b)) {
      malformed(name, taken - (end - begin), "end of gzip stream", "expected no more bytes, found ",
                end - begin, " or more");
    }
    inflateReset(&stream);
    member_open = true;
    return true;
  }

  std::size_t inflate_some(char* out, std::size_t wanted) {
    stream.next_out = reinterpret_cast<Bytef*>(out);
    stream.avail_out = static_cast<uInt>(std::min(wanted, kPiece));
    const uInt room = stream.avail_out;
    while (stream.avail_out == room) {
      if (!member_open && !begin_member()) return 0;
      if (!fill()) malformed(name, taken, "gzip stream", "expected more bytes, found the end");
      stream.next_in = input.data() + begin;
      stream.avail_in = static_cast<uInt>(end - begin);
      const int status = inflate(&stream, Z_NO_FLUSH);
      begin = end - stream.avail_in;
      if (status == Z_STREAM_END) {
        member_open = false;
      } else if (status == Z_MEM_ERROR) {
        raise(ErrorKind::out_of_resources, name, ": no memory to decompress");
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        malformed(name, taken - stream.avail_in, "gzip stream", "expected valid data, found ",
                  stream.msg ? stream.msg : "an error");
      }
    }
    return room - stream.avail_out;
  }
};

ByteStream::ByteStream(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.name = path.string();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    raise(ErrorKind::bad_input, s.name, ": expected a file, found a directory");
  }
  s.file = std::fopen(s.name.c_str(), "rb");
  if (!s.file) raise(ErrorKind::bad_input, s.name, ": ", std::strerror(errno));
  const auto size = std::filesystem::file_size(path, error);
  s.size = error ? 0 : size;
  s.input.resize(kPiece);
  if (s.fill() && is_gzip(std::as_bytes(std::span(s.input).first(s.end)))) {
    if (inflateInit2(&s.stream, kGzipWindow) != Z_OK) {
      raise(ErrorKind::out_of_resources, s.name, ": no memory to decompress");
    }
    s.gzip = true;
  }
}

ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

std::size_t ByteStream::read(char* out, std::size_t size) {
  State& s = *state_;
  if (size == 0) return 0;
  if (s.gzip) return s.inflate_some(out, size);
  if (!s.fill()) return 0;
  const std::size_t count = std::min(size, s.end - s.begin);
  std::memcpy(out, s.input.data() + s.begin, count);
  s.begin += count;
  return count;
}

std::uint64_t ByteStream::file_position() const { return state_->taken; }
std::uint64_t ByteStream::file_size() const { return state_->size; }
bool ByteStream::compressed() const { return state_->gzip; }

}  // namespace athanor::data

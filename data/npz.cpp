#include "data/npz.h"

#include <zip.h>

#include <memory>
#include <utility>
#include <vector>

#include "tensor/base/shared_library.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"
#include "tensor/io/npy.h"

namespace athanor::data {
namespace {

// The functions used, of a library that is loaded with the first archive.
struct Zip {
  SharedLibrary library{ATHANOR_LIBZIP, "reading and writing .npz files"};
  ATHANOR_LOADED(library, zip_close);
  ATHANOR_LOADED(library, zip_discard);
  ATHANOR_LOADED(library, zip_error_fini);
  ATHANOR_LOADED(library, zip_error_init);
  ATHANOR_LOADED(library, zip_error_strerror);
  ATHANOR_LOADED(library, zip_fclose);
  ATHANOR_LOADED(library, zip_file_add);
  ATHANOR_LOADED(library, zip_file_set_dostime);
  ATHANOR_LOADED(library, zip_fopen_index);
  ATHANOR_LOADED(library, zip_fread);
  ATHANOR_LOADED(library, zip_get_num_entries);
  ATHANOR_LOADED(library, zip_open_from_source);
  ATHANOR_LOADED(library, zip_set_file_compression);
  ATHANOR_LOADED(library, zip_source_buffer);
  ATHANOR_LOADED(library, zip_source_buffer_create);
  ATHANOR_LOADED(library, zip_source_close);
  ATHANOR_LOADED(library, zip_source_free);
  ATHANOR_LOADED(library, zip_source_keep);
  ATHANOR_LOADED(library, zip_source_open);
  ATHANOR_LOADED(library, zip_source_read);
  ATHANOR_LOADED(library, zip_stat_index);
  ATHANOR_LOADED(library, zip_stat_init);
  ATHANOR_LOADED(library, zip_strerror);
};
const Zip& zip() {
  static const Zip loaded;
  return loaded;
}

struct Discard {
  void operator()(zip_t* archive) const { zip().zip_discard(archive); }
  void operator()(zip_file_t* member) const { zip().zip_fclose(member); }
  void operator()(zip_source_t* source) const { zip().zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Member = std::unique_ptr<zip_file_t, Discard>;
using Source = std::unique_ptr<zip_source_t, Discard>;

std::string text_of(zip_error_t& error) {
  std::string text = zip().zip_error_strerror(&error);
  zip().zip_error_fini(&error);
  return text;
}

Archive open_archive(std::span<const std::byte> bytes, std::string_view file) {
  constexpr std::size_t kEndRecord = 22;  // no archive is shorter; the library takes "" for one
  if (bytes.size() < kEndRecord) {
    malformed(file, 0, "archive", "expected a zip archive, found ", bytes.size(), " bytes");
  }
  zip_error_t error;
  zip().zip_error_init(&error);
  Source source(zip().zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error));
  Archive archive(source
                      ? zip().zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error)
                      : nullptr);
  if (!archive) {
    malformed(file, 0, "archive", "expected a zip archive, found ", bytes.size(),
              " bytes: ", text_of(error));
  }
  source.release();  // the archive owns it now
  return archive;
}

std::vector<std::byte> read_member(zip_t* archive, zip_uint64_t index, const std::string& name,
                                   std::uint64_t size, std::string_view file) {
  const Member member(zip().zip_fopen_index(archive, index, 0));
  std::vector<std::byte> bytes(size);
  std::uint64_t have = 0;
  while (member && have < size) {
    const zip_int64_t got = zip().zip_fread(member.get(), bytes.data() + have, size - have);
    if (got <= 0) break;
    have += static_cast<std::uint64_t>(got);
  }
  // One byte more makes the library compare the checksum.
  std::byte beyond;
  if (!member || have < size || zip().zip_fread(member.get(), &beyond, 1) != 0) {
    raise(ErrorKind::bad_input, file, ": member ", name, ": expected ", size,
          " bytes with their checksum, found a damaged or encrypted member after ", have);
  }
  return bytes;
}

}  // namespace

std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::string_view file,
                                        const Limits& limits) {
  const Archive archive = open_archive(bytes, file);
  std::map<std::string, Tensor> arrays;
  std::uint64_t total = 0;
  const zip_int64_t count = zip().zip_get_num_entries(archive.get(), 0);
  if (count < 0 || static_cast<std::uint64_t>(count) > limits.max_tensors) {
    malformed(file, 0, "archive", "expected at most ", limits.max_tensors, " members, found ",
              count);
  }
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t stat;
    zip().zip_stat_init(&stat);
    if (zip().zip_stat_index(archive.get(), i, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
        !(stat.valid & ZIP_STAT_NAME)) {
      malformed(file, 0, str("member ", i), "expected a name and a size, found none");
    }
    std::string name = stat.name;
    if (!name.ends_with(".npy")) {
      raise(ErrorKind::bad_input, file, ": member ", name, ": expected a name ending in .npy");
    }
    if (stat.size > limits.max_bytes - total) {
      raise(ErrorKind::bad_input, file, ": member ", name, ": expected at most ",
            limits.max_bytes - total, " further bytes, found ", stat.size);
    }
    total += stat.size;
    const std::vector<std::byte> content = read_member(archive.get(), i, name, stat.size, file);
    const std::string where = str(file, ": member ", name);
    name.resize(name.size() - 4);
    if (!arrays.emplace(name, parse_npy(content, where, limits)).second) {
      raise(ErrorKind::bad_input, where, ": expected each name once, found it twice");
    }
  }
  return arrays;
}

std::map<std::string, Tensor> load_npz(const std::filesystem::path& path, const Limits& limits) {
  const MappedFile file(path, limits);
  return parse_npz(file.bytes(), path.string(), limits);
}

void save_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays,
              bool compressed) {
  if (arrays.empty()) fail("save_npz", path.string(), ": expected at least one array, got none");
  zip_error_t error;
  zip().zip_error_init(&error);
  const auto check = [&](bool ok) {
    if (!ok) fail("save_npz", path.string(), ": ", text_of(error));
  };
  Source source(zip().zip_source_buffer_create(nullptr, 0, 0, &error));
  check(source != nullptr);
  Archive archive(zip().zip_open_from_source(source.get(), ZIP_TRUNCATE, &error));
  check(archive != nullptr);
  zip().zip_source_keep(source.get());  // to read the result when the archive is closed
  std::vector<std::string> contents;    // alive until then
  contents.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    contents.push_back(encode_npy(array));
    zip_source_t* content =
        zip().zip_source_buffer(archive.get(), contents.back().data(), contents.back().size(), 0);
    const zip_int64_t index =
        zip().zip_file_add(archive.get(), (name + ".npy").c_str(), content, ZIP_FL_ENC_UTF_8);
    if (index < 0) zip().zip_source_free(content);
    const auto method = compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    if (index < 0 ||
        zip().zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), method,
                                       0) != 0 ||
        // A fixed time: equal arrays give equal files.
        zip().zip_file_set_dostime(archive.get(), static_cast<zip_uint64_t>(index), 0, 33, 0) !=
            0) {
      fail("save_npz", path.string(), ": ", name, ": ", zip().zip_strerror(archive.get()));
    }
  }
  if (zip().zip_close(archive.get()) != 0) {
    fail("save_npz", path.string(), ": ", zip().zip_strerror(archive.get()));
  }
  archive.release();
  AtomicFile out(path);
  zip().zip_source_open(source.get());
  char piece[65536];
  for (zip_int64_t got; (got = zip().zip_source_read(source.get(), piece, sizeof(piece))) > 0;) {
    out.write(std::string_view(piece, static_cast<std::size_t>(got)));
  }
  zip().zip_source_close(source.get());
  out.commit();
}

}  // namespace athanor::data

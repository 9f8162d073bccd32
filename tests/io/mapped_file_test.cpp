#include "tensor/io/mapped_file.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <utility>

#include "tensor/base/error.h"
#include "tests/io/scratch.h"

using namespace athanor;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("files are mapped and read whole, empty ones too") {
  const test::ScratchDirectory scratch;
  for (const std::string& content : {std::string(), std::string("abc"), std::string(70'000, 'x')}) {
    const auto path = scratch.path() / "file";
    test::spill(path, content);
    CHECK(text_of(MappedFile(path).bytes()) == content);
    CHECK(text_of(read_file(path)) == content);
  }
}

TEST_CASE("a mapping moves and survives the replacement of its file") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "file";
  test::spill(path, "old content");
  MappedFile a(path);
  MappedFile b(std::move(a));
  CHECK(a.bytes().empty());
  test::spill(scratch.path() / "new", "new");
  std::filesystem::rename(scratch.path() / "new", path);
  CHECK(text_of(b.bytes()) == "old content");
  a = MappedFile(path);
  CHECK(text_of(a.bytes()) == "new");
}

TEST_CASE("files that are missing, no files or too long are bad_input") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "file";
  test::spill(path, "12345");
  Limits limits;
  limits.max_bytes = 5;
  CHECK(MappedFile(path, limits).bytes().size() == 5);
  CHECK(read_file(path, limits).size() == 5);
  limits.max_bytes = 4;
  const auto check = [](auto&& call, const char* reason) {
    const Error error = test::error_of(call);
    CHECK(error.kind() == ErrorKind::bad_input);
    CHECK_THAT(error.what(), Catch::Contains(reason));
  };
  check([&] { MappedFile(path, limits); }, "expected at most 4 bytes");
  check([&] { read_file(path, limits); }, "expected at most 4 bytes");
  check([&] { MappedFile(scratch.path() / "absent"); }, "No such file");
  check([&] { read_file(scratch.path() / "absent"); }, "No such file");
  check([&] { MappedFile(scratch.path()); }, "regular file");
  check([&] { read_file(scratch.path()); }, "Is a directory");
  // A device announces size 0 and has no end: the limit is what stops the reader.
  check([&] { read_file("/dev/zero", limits); }, "expected at most 4 bytes");
}

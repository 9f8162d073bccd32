#include "tensor/io/atomic_file.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <string>

#include "tensor/base/error.h"
#include "tests/io/scratch.h"

using namespace athanor;
namespace fs = std::filesystem;

TEST_CASE("an atomic write creates and replaces a file and leaves nothing beside it") {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path() / "report.txt";
  write_file_atomically(path, "first");
  CHECK(test::slurp(path) == "first");
  write_file_atomically(path, std::string("second\0bytes", 12));
  CHECK(test::slurp(path) == std::string("second\0bytes", 12));
  write_file_atomically(path, "");
  CHECK(test::slurp(path).empty());
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("until commit the old file stands, and without commit it stays") {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path() / "model.bin";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("new and ");
    file.write("longer");
    CHECK(test::slurp(path) == "old");
  }
  CHECK(test::slurp(path) == "old");
  CHECK(scratch.file_count() == 1);
  {
    AtomicFile file(path);
    file.write("new and ");
    file.write("longer", 6);
    file.commit();
    CHECK(test::slurp(path) == "new and longer");
    CHECK_THROWS_AS(file.write("more"), Error);
    CHECK_THROWS_AS(file.commit(), Error);
  }
  CHECK(test::slurp(path) == "new and longer");
}

TEST_CASE("two writers of one path do not disturb each other; the last commit wins") {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path() / "shared";
  AtomicFile a(path);
  AtomicFile b(path);
  a.write("aaaa");
  b.write("bb");
  b.commit();
  CHECK(test::slurp(path) == "bb");
  a.commit();
  CHECK(test::slurp(path) == "aaaa");
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("a replaced file keeps its permissions and a symbolic link stays a link") {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path() / "script.sh";
  write_file_atomically(path, "#!/bin/sh\n");
  fs::permissions(path, fs::perms(0750));
  fs::create_symlink(path, scratch.path() / "link");
  write_file_atomically(scratch.path() / "link", "#!/bin/sh\necho\n");
  CHECK(fs::is_symlink(scratch.path() / "link"));
  CHECK(test::slurp(path) == "#!/bin/sh\necho\n");
  CHECK(fs::status(path).permissions() == fs::perms(0750));
}

TEST_CASE("errors of an atomic write name the path, the reason and the kind") {
  const test::ScratchDirectory scratch;
  const fs::path missing = scratch.path() / "no-such-directory" / "x";
  const auto error = test::error_of([&] { write_file_atomically(missing, "x"); });
  CHECK(error.kind() == ErrorKind::runtime);
  CHECK_THAT(error.what(), Catch::Contains(missing.string()));
  CHECK_THAT(error.what(), Catch::Contains("No such file or directory"));

  // A directory cannot be replaced by a file: the rename fails, and the temporary file goes.
  fs::create_directory(scratch.path() / "taken");
  CHECK(test::error_of([&] { write_file_atomically(scratch.path() / "taken", "x"); }).kind() ==
        ErrorKind::runtime);
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("an exhausted file-size limit is out_of_resources and leaves the old file") {
  const test::ScratchDirectory scratch;
  const fs::path path = scratch.path() / "big";
  write_file_atomically(path, "old");

  // The limit on file sizes stands in for a full disk, which a test cannot arrange.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto error =
      test::error_of([&] { write_file_atomically(path, std::string(100'000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);

  CHECK(error.kind() == ErrorKind::out_of_resources);
  CHECK_THAT(error.what(), Catch::Contains(path.string()));
  CHECK(test::slurp(path) == "old");
  CHECK(scratch.file_count() == 1);
}

TEST_CASE("files whose names are made durable together stand under them at once") {
  const test::ScratchDirectory scratch;
  const fs::path first = scratch.path() / "a.txt", second = scratch.path() / "b.txt";
  {
    const DirectorySyncs outer;
    {
      const DirectorySyncs inner;
      write_file_atomically(first, "a");
    }
    write_file_atomically(second, "b");
    CHECK(test::slurp(first) == "a");
    CHECK(test::slurp(second) == "b");
    CHECK_THROWS_AS(write_file_atomically(scratch.path() / "none" / "c.txt", "c"), Error);
  }
  CHECK(scratch.file_count() == 2);
}

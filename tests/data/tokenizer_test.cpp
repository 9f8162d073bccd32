// Tokenisers: ids of Hugging Face's library in tokenizer_golden.json (make_tokenizer_golden.py),
// and what malformed files and hostile texts do.
#include "data/text/tokenizer.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "data/json_document.h"
#include "data/text/text_lines.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;
using athanor::test::error_of;

namespace {

const nlohmann::json& golden() {
  static const nlohmann::json json =
      parse_json(test::as_bytes(test::slurp(ATHANOR_TOKENIZER_GOLDEN)), "golden");
  return json;
}

Tokenizer tokenizer_of(const nlohmann::json& entry) {
  return Tokenizer(
      parse_tokenizer_json(test::as_bytes(entry.at("tokenizer").dump()), "tokenizer.json"));
}

const nlohmann::json& entry_named(const char* name) {
  for (const auto& entry : golden()) {
    if (entry.at("name") == name) return entry;
  }
  throw std::runtime_error("no such golden tokeniser");
}

template <class F>
void check_encoding(const nlohmann::json& expected, F&& encode) {
  if (expected.contains("error")) {
    CHECK_THROWS_AS(encode(), Error);
    return;
  }
  const TokenRows rows = encode();
  CHECK(nlohmann::json(rows.ids) == expected.at("ids"));
  CHECK(nlohmann::json(rows.types) == expected.at("types"));
}

const std::string kSmall =
    R"({"added_tokens":[{"id":0,"content":"[UNK]","special":true}],)"
    R"("normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},)"
    R"("truncation":{"max_length":8,"strategy":"LongestFirst","stride":0,"direction":"Right"},)"
    R"("padding":{"strategy":"BatchLongest","direction":"Right","pad_id":0},)"
    R"("post_processor":{"type":"BertProcessing","cls":["[C]",1],"sep":["[S]",2]},)"
    R"("model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"[C]":1,"[S]":2,"a":3,"##b":4}}})";

}  // namespace

TEST_CASE("ids, types and decoded texts are those of Hugging Face's tokenizers") {
  for (const auto& entry : golden()) {
    const Tokenizer tokenizer = tokenizer_of(entry);
    const bool padded = entry.at("tokenizer").at("padding").is_object();
    const auto one = [&](const std::string& text) {
      const TokenRows rows = tokenizer.encode_batch(std::vector<std::string>{text});
      if (!padded) return rows;
      TokenRows result;
      const PaddedTokens rectangle = tokenizer.pad(rows);
      result.ids = rectangle.ids.to_vector<std::int32_t>();
      result.types = rectangle.types.to_vector<std::int32_t>();
      return result;
    };
    for (const auto& expected : entry.at("texts")) {
      INFO(entry.at("name") << ": " << expected.at("text"));
      check_encoding(expected, [&] { return one(expected.at("text").get<std::string>()); });
    }
    if (padded) continue;
    for (const auto& expected : entry.at("pairs")) {
      INFO(entry.at("name") << ": " << expected.at("first") << expected.at("second"));
      check_encoding(expected, [&] {
        return tokenizer.encode_pair(expected.at("first").get<std::string>(),
                                     expected.at("second").get<std::string>());
      });
    }
  }
}

TEST_CASE("decoding gives Hugging Face's texts") {
  for (const auto& entry : golden()) {
    const Tokenizer tokenizer = tokenizer_of(entry);
    for (const auto& expected : entry.at("decoded")) {
      INFO(entry.at("name") << ": " << expected.at("ids"));
      const auto ids = expected.at("ids").get<std::vector<std::int32_t>>();
      CHECK(tokenizer.decode(ids) == expected.at("text").get<std::string>());
    }
  }
}

TEST_CASE("a batch on several threads has the rows of single calls") {
  const Tokenizer tokenizer = tokenizer_of(entry_named("bert"));
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) {
    texts.push_back("the fox " + std::to_string(i) +
                    std::string(static_cast<std::size_t>(i % 9), 'q'));
  }
  const TokenRows rows = tokenizer.encode_batch(texts);
  REQUIRE(rows.size() == 700);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto row = rows.row(static_cast<std::int64_t>(i));
    REQUIRE(std::vector<std::int32_t>(row.begin(), row.end()) == tokenizer.encode(texts[i]));
  }
  texts[300] = "caf\xe9";
  const Error error = error_of([&] { tokenizer.encode_batch(texts); });
  CHECK(error.kind() == ErrorKind::bad_input);
  CHECK(std::string(error.what()) == "text 300: text: byte 3: expected UTF-8, found byte 233");
}

TEST_CASE("vocab.txt gives the tokeniser of the same vocabulary's tokenizer.json") {
  const auto& entry = entry_named("bert");
  std::map<int, std::string> tokens;
  for (const auto& [token, id] : entry.at("tokenizer").at("model").at("vocab").items()) {
    tokens[id.get<int>()] = token;
  }
  std::string text;
  for (const auto& [id, token] : tokens) text += token + "\n";
  const Tokenizer of_lines(parse_vocab_txt(test::as_bytes(text), "vocab.txt"));
  const Tokenizer of_json = tokenizer_of(entry);
  CHECK(of_lines.vocabulary_hash() == of_json.vocabulary_hash());
  for (const auto& expected : entry.at("texts")) {
    const auto sample = expected.at("text").get<std::string>();
    CHECK(of_lines.encode(sample) == of_json.encode(sample));
  }
  CHECK(std::string(error_of([&] {
                      parse_vocab_txt(test::as_bytes("a\n\xff\n"), "v.txt");
                    }).what()) == "v.txt: line 2: expected UTF-8, found byte 255 at column 1");
  CHECK(std::string(error_of([&] {
                      parse_vocab_txt(test::as_bytes("a\nb\na\n"), "v.txt");
                    }).what()) == "v.txt: line 3: expected each token once, found \"a\" of line 1");
}

TEST_CASE("a character tokeniser goes there and back, and into a file") {
  const TokenizerSpec spec = character_tokenizer("hello w\u00f6rld");
  const Tokenizer tokenizer(spec);
  CHECK(tokenizer.vocabulary_size() == 9);
  const auto ids = tokenizer.encode("hello w\u00f6rld!");
  CHECK(ids.size() == 12);
  CHECK(ids.back() == 0);
  CHECK(tokenizer.decode(std::span(ids).first(11)) == "hello w\u00f6rld");
  const Tokenizer again(
      parse_tokenizer_json(test::as_bytes(character_tokenizer_json(spec)), "characters"));
  CHECK(again.encode("hello w\u00f6rld!") == ids);
  require_same_vocabulary(tokenizer, "t", again, "s");
  const Error error = error_of([&] {
    require_same_vocabulary(tokenizer, "teacher.json", Tokenizer(character_tokenizer("xyz")),
                            "student.json");
  });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK_THAT(error.what(), Catch::Contains("give the student the teacher's tokeniser"));
}

TEST_CASE("malformed tokenizer.json files are refused and name the place") {
  const auto message = [](const std::string& from, const std::string& to) {
    std::string text = kSmall;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    const Error error =
        error_of([&] { Tokenizer(parse_tokenizer_json(test::as_bytes(text), "t.json")); });
    CHECK(error.kind() == ErrorKind::bad_input);
    return std::string(error.what());
  };
  CHECK(message("BertNormalizer", "Nmt") ==
        "t.json: normalizer.type: expected one of BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, "
        "StripAccents, Strip, Prepend, Replace, found \"Nmt\"");
  CHECK(message("\"##b\":4", "\"##b\":3") ==
        "t.json: model.vocab[\"a\"]: expected an id of its own, found 3, which is that of \"##b\"");
  CHECK(message("\"##b\":4", "\"##b\":2000000000") ==
        "t.json: model.vocab[\"##b\"]: expected ids near the 6 tokens, found 2000000000");
  CHECK(message("\"##b\":4", "\"##b\":-1") ==
        "t.json: model.vocab[\"##b\"]: expected an integer from 0 to 2147483646, found -1");
  CHECK(message("\"a\":3", "\"a\":3,\"a\":5") ==
        "t.json: member \"a\": expected each name once in an object, found it twice");
  CHECK(message("\"unk_token\":\"[UNK]\"", "\"unk_token\":\"?\"") ==
        "model.unk_token: expected a token of the vocabulary, found \"?\"");
  CHECK(message("[\"[S]\",2]", "[\"[S]\",77]") ==
        "t.json: post_processor.single: expected ids of the vocabulary, not 77, found nothing");
  CHECK_THAT(message("{\"max_length\":8", "{\"max_length\":0"),
             Catch::Contains("truncation.max_length"));
  CHECK_THAT(
      error_of([&] { parse_json(test::as_bytes(std::string(100000, '[')), "deep.json"); }).what(),
      Catch::Contains("expected nesting of at most 64, found deeper"));
}

TEST_CASE("whatever the bytes of a tokenizer.json, it is read or refused") {
  const auto parse = [](std::span<const std::byte> bytes) {
    const Tokenizer tokenizer(parse_tokenizer_json(bytes, "t.json"));
    tokenizer.pad(tokenizer.encode_batch(std::vector<std::string>{"ab [UNK] x", ""}, {true, 0}));
  };
  CHECK(test::every_truncation(kSmall, parse).accepted == 0);
  CHECK(test::random_mutations(kSmall, 3000, parse).refused > 500);
}

TEST_CASE("hostile texts cost linear time") {
  // The longest texts finish far below a second; quadratic work would take minutes.
  const auto begin = std::chrono::steady_clock::now();
  std::string aaa(4'000'000, 'a'), marks = "a", blanks(4'000'000, ' ');
  for (int i = 0; i < 300'000; ++i) marks += "\u0301\u302e";
  for (const char* name : {"bert", "gpt2", "llama3", "words"}) {
    const Tokenizer tokenizer = tokenizer_of(entry_named(name));
    for (const std::string& text : {aaa, marks, blanks, aaa + "\n" + blanks + "b"}) {
      tokenizer.encode(text, {true, 0});
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  CHECK(took.count() < 60);
}

TEST_CASE("lines that are no UTF-8 are named") {
  const test::ScratchDirectory scratch;
  const auto path = scratch.path() / "lines.txt";
  test::spill(path,
              "\xef\xbb\xbf"
              "one\r\ntwo\n\nfour");
  TextLines lines(path);
  std::vector<std::string> all;
  for (std::string line; lines.next(line);) all.push_back(line);
  CHECK(all == std::vector<std::string>{"one", "two", "", "four"});
  test::spill(path, "one\ncaf\xe9\n");
  TextLines bad(path);
  std::string line;
  CHECK(bad.next(line));
  CHECK_THAT(error_of([&] { bad.next(line); }).what(),
             Catch::Contains("line 2: expected UTF-8, found byte 233 at column 4"));
}

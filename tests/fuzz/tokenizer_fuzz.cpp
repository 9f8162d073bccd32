#include "data/text/tokenizer.h"
#include "tests/fuzz/fuzz.h"

// A tokenizer.json, and behind the first NUL a text for it; a vocab.txt when it begins with V.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits& limits) {
    using namespace athanor::data;
    std::size_t cut = 0;
    while (cut < bytes.size() && bytes[cut] != std::byte{0}) ++cut;
    const auto head = bytes.first(cut);
    const auto rest = bytes.subspan(cut == bytes.size() ? cut : cut + 1);
    const bool lines = !head.empty() && head[0] == std::byte{'V'};
    const Tokenizer tokenizer(lines ? parse_vocab_txt(head.subspan(1), "fuzz", {}, limits)
                                    : parse_tokenizer_json(head, "fuzz", limits));
    const std::string text(reinterpret_cast<const char*>(rest.data()), rest.size());
    tokenizer.decode(tokenizer.encode(text, {true, 0}));
  });
}

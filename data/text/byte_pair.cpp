#include "data/text/byte_pair.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "data/text/unicode.h"
#include "tensor/base/error.h"

namespace athanor::data {
namespace {

constexpr std::size_t kShort = 24;  // up to so many symbols a scan beats a heap

// GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others are moved to U+0100
// onwards in order.
const std::array<std::int32_t, 256>& byte_alphabet() {
  static const std::array<std::int32_t, 256> alphabet = [] {
    std::array<std::int32_t, 256> result;
    std::int32_t moved = 256;
    for (int b = 0; b < 256; ++b) {
      const bool stays = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
      result[static_cast<std::size_t>(b)] = stays ? b : moved++;
    }
    return result;
  }();
  return alphabet;
}

int byte_of(std::int32_t character) {
  static const std::array<int, 512> bytes = [] {
    std::array<int, 512> result;
    result.fill(-1);
    for (int b = 0; b < 256; ++b) {
      result[static_cast<std::size_t>(byte_alphabet()[static_cast<std::size_t>(b)])] = b;
    }
    return result;
  }();
  return character < 512 ? bytes[static_cast<std::size_t>(character)] : -1;
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

std::size_t mixed(std::uint64_t key) {
  key *= 0x9e3779b97f4a7c15;
  return static_cast<std::size_t>(key ^ (key >> 29));
}

std::vector<std::pair<std::string, std::int32_t>> trie_tokens(
    const std::vector<std::pair<std::string, std::int32_t>>& tokens, bool byte_level) {
  if (!byte_level) return tokens;
  std::vector<std::pair<std::string, std::int32_t>> result;
  std::string bytes;
  for (const auto& [token, id] : tokens) {
    if (BytePair::bytes_of_token(token, bytes)) result.emplace_back(bytes, id);
  }
  return result;
}

}  // namespace

bool BytePair::bytes_of_token(std::string_view token, std::string& bytes) {
  bytes.clear();
  for (std::size_t at = 0; at < token.size();) {
    const std::int32_t c = decode_utf8(token, at);
    const int byte = c < 0 ? -1 : byte_of(c);
    if (byte < 0) return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

BytePair::BytePair(const std::vector<std::pair<std::string, std::int32_t>>& tokens,
                   const Merges& merges, const BytePairOptions& options)
    : options_(options), trie_(trie_tokens(tokens, options.byte_level)) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::int32_t last = -1;
  for (const auto& [token, id] : tokens) {
    ids.emplace(token, id);
    last = std::max(last, id);
  }
  const auto id_of = [&](std::string_view token) {
    const auto at = ids.find(token);
    return at == ids.end() ? -1 : at->second;
  };
  if (!options.unknown.empty()) {
    unknown_ = id_of(options.unknown);
    if (unknown_ < 0) {
      raise(ErrorKind::bad_input, "model.unk_token: expected a token of the vocabulary, found \"",
            options.unknown, "\"");
    }
  }
  for (int b = 0; b < 256; ++b) {
    std::string token;
    if (options.byte_level) {
      append_utf8(token, byte_alphabet()[static_cast<std::size_t>(b)]);
    } else {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(b));
      token = name;
    }
    byte_ids_[static_cast<std::size_t>(b)] = id_of(token);
  }
  std::size_t size = 16;
  while (size < 2 * merges.size()) size *= 2;
  merges_.resize(size);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    const std::int32_t merged = id_of(left + right);
    if (id_of(left) < 0 || id_of(right) < 0 || merged < 0) {
      raise(ErrorKind::bad_input, "model.merges[", i,
            "]: expected two tokens that join to a third, found \"", left, "\" and \"", right,
            "\"");
    }
    add_merge(id_of(left), id_of(right), static_cast<std::uint32_t>(i), merged);
  }
  if (options.byte_level) {
    whole_.resize(static_cast<std::size_t>(last) + 1);
    Scratch scratch;
    std::string bytes;
    for (const auto& [token, id] : tokens) {
      if (!bytes_of_token(token, bytes) || bytes.empty()) continue;
      read_symbols(bytes, scratch.symbols);
      merge(scratch);
      whole_[static_cast<std::size_t>(id)] =
          options.ignore_merges || (scratch.symbols.size() == 1 && scratch.symbols[0] == id);
    }
  }
}

const BytePair::Merge* BytePair::find(std::int32_t left, std::int32_t right) const {
  const std::uint64_t key = pair_key(left, right);
  const std::size_t mask = merges_.size() - 1;
  for (std::size_t at = mixed(key) & mask;; at = (at + 1) & mask) {
    if (merges_[at].id < 0) return nullptr;
    if (merges_[at].pair == key) return &merges_[at];
  }
}

void BytePair::add_merge(std::int32_t left, std::int32_t right, std::uint32_t rank,
                         std::int32_t id) {
  const std::uint64_t key = pair_key(left, right);
  const std::size_t mask = merges_.size() - 1;
  std::size_t at = mixed(key) & mask;
  while (merges_[at].id >= 0 && merges_[at].pair != key) at = (at + 1) & mask;
  merges_[at] = {key, rank, id};  // of equal pairs the last counts, as in a map that is filled
}

void BytePair::read_unknown(std::string_view character, std::vector<std::int32_t>& symbols,
                            bool& fused) const {
  if (options_.byte_fallback) {
    const bool all = std::all_of(character.begin(), character.end(), [&](char byte) {
      return byte_ids_[static_cast<unsigned char>(byte)] >= 0;
    });
    if (all) {
      for (const char byte : character) {
        symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      }
      fused = false;
      return;
    }
  }
  if (unknown_ < 0 || (fused && options_.fuse_unknown)) return;
  symbols.push_back(unknown_);
  fused = true;
}

void BytePair::read_symbols(std::string_view word, std::vector<std::int32_t>& symbols) const {
  symbols.clear();
  bool fused = false;
  for (std::size_t at = 0; at < word.size();) {
    if (options_.byte_level) {
      const std::int32_t id = byte_ids_[static_cast<unsigned char>(word[at])];
      if (id >= 0) {
        symbols.push_back(id);
        fused = false;
      } else {
        read_unknown(word.substr(at, 1), symbols, fused);
      }
      ++at;
      continue;
    }
    const std::size_t begin = at;
    if (decode_utf8(word, at) < 0) require_utf8(word);
    const std::string_view character = word.substr(begin, at - begin);
    const std::int32_t id = trie_.find(character);
    if (id >= 0) {
      symbols.push_back(id);
      fused = false;
    } else {
      read_unknown(character, symbols, fused);
    }
  }
}

void BytePair::merge(Scratch& scratch) const {
  if (scratch.symbols.size() <= kShort) {
    merge_short(scratch.symbols);
  } else {
    merge_long(scratch);
  }
}

void BytePair::merge_short(std::vector<std::int32_t>& symbols) const {
  while (symbols.size() > 1) {
    const Merge* best = nullptr;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const Merge* merge = find(symbols[i], symbols[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        where = i;
      }
    }
    if (!best) return;
    symbols[where] = best->id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

// A heap of candidate pairs, lowest rank first and leftmost among equals; entries whose pair has
// changed since are skipped.
void BytePair::merge_long(Scratch& scratch) const {
  std::vector<std::int32_t>& symbols = scratch.symbols;
  const auto count = static_cast<std::int32_t>(symbols.size());
  scratch.next.resize(symbols.size());
  scratch.previous.resize(symbols.size());
  scratch.heap.clear();
  const auto later = [](const auto& a, const auto& b) { return a.first > b.first; };
  const auto push = [&](std::int32_t at) {
    const std::int32_t right = scratch.next[static_cast<std::size_t>(at)];
    if (right < 0) return;
    const Merge* merge =
        find(symbols[static_cast<std::size_t>(at)], symbols[static_cast<std::size_t>(right)]);
    if (!merge) return;
    scratch.heap.emplace_back(
        static_cast<std::uint64_t>(merge->rank) << 32 | static_cast<std::uint32_t>(at), merge->id);
    std::push_heap(scratch.heap.begin(), scratch.heap.end(), later);
  };
  for (std::int32_t i = 0; i < count; ++i) {
    scratch.previous[static_cast<std::size_t>(i)] = i - 1;
    scratch.next[static_cast<std::size_t>(i)] = i + 1 < count ? i + 1 : -1;
  }
  for (std::int32_t i = 0; i < count; ++i) push(i);
  while (!scratch.heap.empty()) {
    std::pop_heap(scratch.heap.begin(), scratch.heap.end(), later);
    const auto [order, id] = scratch.heap.back();
    scratch.heap.pop_back();
    const auto left = static_cast<std::size_t>(order & 0xffffffff);
    if (symbols[left] < 0 || scratch.next[left] < 0) continue;
    const auto right = static_cast<std::size_t>(scratch.next[left]);
    const Merge* now = find(symbols[left], symbols[right]);
    if (!now || now->id != id) continue;
    symbols[left] = id;
    symbols[right] = -1;
    scratch.next[left] = scratch.next[right];
    if (scratch.next[left] >= 0) {
      scratch.previous[static_cast<std::size_t>(scratch.next[left])] =
          static_cast<std::int32_t>(left);
    }
    if (scratch.previous[left] >= 0) push(scratch.previous[left]);
    push(static_cast<std::int32_t>(left));
  }
  symbols.erase(std::remove(symbols.begin(), symbols.end(), -1), symbols.end());
}

void BytePair::encode(std::string_view word, Scratch& scratch,
                      std::vector<std::int32_t>& ids) const {
  if (options_.byte_level || options_.ignore_merges) {
    const std::int32_t id = trie_.find(word);
    if (id >= 0 && (options_.ignore_merges || whole_[static_cast<std::size_t>(id)])) {
      ids.push_back(id);
      return;
    }
  }
  read_symbols(word, scratch.symbols);
  merge(scratch);
  ids.insert(ids.end(), scratch.symbols.begin(), scratch.symbols.end());
}

}  // namespace athanor::data

#include "distill/refine/content_hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace athanor::distill {

ContentHash content_hash(const void* bytes, std::size_t size) {
  const XXH128_hash_t hash = XXH3_128bits(bytes, size);
  return {hash.low64, hash.high64};
}

}  // namespace athanor::distill

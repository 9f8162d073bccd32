// Which records of a table are copies of each other, by all that they say: text, picture, sound,
// vector.
#pragma once

#include <string>
#include <vector>

#include "distill/refine/linkage.h"
#include "distill/refine/table_records.h"
#include "distill/refine/uniqueness.h"

namespace athanor::distill {

// Up to so many pictures, sounds, or vectors that stand alone, near ones are sought.
inline constexpr std::int64_t kMostLooks = 50'000;

// Groups of records that are copies in each of: their text (find_text_duplicates, `threshold`),
// their picture, their sound. Pictures are copies when they look alike (Look::grey) up to a shift
// by one pixel and slight noise, within 0.01 of their variance, and in their colours: a picture in
// another size or format, compressed once more. Two members of a set (picture_set.h) at their own
// size instead, on a dark ground as images of IDX files (ImageCopyOptions' own). Sounds by their
// spectrograms in the same way, when they also last as long, within 5%. Records that consist of a
// vector are copies at a cosine of at least 0.998. Equal content and `links` join, too.
DuplicateGroups find_copies(const TableRecords& records, double threshold,
                            const std::vector<Link>& links);
// What was not sought because there is too much of it, one line each.
std::vector<std::string> copies_not_sought(const TableRecords& records);

}  // namespace athanor::distill

"""The emoji of both drawing styles, divided so that no emoji, nor one that differs in gender alone, is twice."""

import hashlib
import re
from collections.abc import Mapping

import numpy as np

HELD_OUT = 0.1
GENDERED = re.compile(
  r'\b(man|men|woman|women|person|people|boy|girl|male|female|mother|father|prince|princess|mrs)\b'
)
PARTS = ('test', 'A', 'B')


def divide(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """The rows of a tenth of every category that is held out, and of the two halves of the rest.

  Emoji whose captions differ in words such as man and woman are drawn alike but for hair and clothes:
  they stay together. The order is that of a hash of the captions.

  Args:
    arrays: 'caption' and 'category' of the embedded emoji, [N].

  Returns:
    'test', 'A' and 'B' -> int64 rows, in the order of the set.
  """
  words = [GENDERED.sub('', caption.lower()) for caption in arrays['caption'].tolist()]
  chosen: dict[str, list[int]] = {part: [] for part in PARTS}
  for category in np.unique(arrays['category']):
    rows = np.flatnonzero(arrays['category'] == category)
    groups: dict[str, list[int]] = {}
    for row in rows.tolist():
      groups.setdefault(words[row], []).append(row)
    by_hash = sorted(groups, key=lambda text: hashlib.sha256(text.encode()).digest())
    before = 0
    for text in by_hash:
      share = before / len(rows)
      part = 'test' if share < HELD_OUT else 'A' if share < (1 + HELD_OUT) / 2 else 'B'
      chosen[part] += groups[text]
      before += len(groups[text])
  return {part: np.sort(np.array(found)) for part, found in chosen.items()}

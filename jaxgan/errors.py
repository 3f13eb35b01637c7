"""The one base of all errors that are the user's to mend, which commands print as one line, and its hint."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
  """Something given cannot be used; the message says what was given, what was expected, what to do."""


def nearest(word: str, words: Iterable[str], few: Iterable[str] | None = None) -> str:
  """A hint naming the most similar of the words, or listing them (or those few of them)."""
  words = sorted(words)
  close = difflib.get_close_matches(str(word), words, 1, 0.6)
  return f'did you mean {close[0]!r}?' if close else f'there are: {", ".join(sorted(few or words))}'

"""The one base of all errors that are the user's to mend: commands print them as one line."""


class UserError(ValueError):
  """Something given cannot be used; the message says what was given, what was expected, what to do."""

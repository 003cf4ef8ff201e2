"""The one record of everything that happened: append, read, follow, and fire deadlines.  Knows no domain."""

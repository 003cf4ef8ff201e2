"""HTTP for programs: our own API and the wire-compatible paths."""

"""Values that every ring shares: ids, clock, errors, the event envelope.  No I/O."""

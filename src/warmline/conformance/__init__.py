"""The kit that every desk is held to: the same cases for all, played against a vendor's simulator or a real account."""

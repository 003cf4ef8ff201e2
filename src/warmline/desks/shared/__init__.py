"""What several vendors' adapters need alike."""

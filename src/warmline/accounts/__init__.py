"""Members, their roles and sign-in, API keys, and the audit log."""

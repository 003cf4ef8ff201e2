"""The guarded HTTP client; import it from ``warmline.platform.http``."""

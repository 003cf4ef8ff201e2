"""The surfaces: one ASGI application for widget, console, API and wire-compatible endpoints."""

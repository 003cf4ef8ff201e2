"""The visitor's side: loader, frame page, session, and the stream over WebSocket or SSE + POST."""

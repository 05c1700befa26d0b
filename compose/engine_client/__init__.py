"""The Engine API as seen by the client: transport, payloads, calls."""

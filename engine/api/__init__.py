"""The Engine API: one route table, the server with hijacking, handlers, encoding."""

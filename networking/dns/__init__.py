"""Names: messages, zone, answers and cache (pure), the forwarder, and the server, a process of its own."""

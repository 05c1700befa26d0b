"""Networks, endpoints and leases of this engine, over the networking package."""

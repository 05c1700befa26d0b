"""Zones and answers (pure) and the DNS server, a process of its own."""

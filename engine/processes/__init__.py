"""Fork server and monitors (forked side), and their clients (trio side)."""

"""One single-threaded worker process on netlink: operations in, results out."""

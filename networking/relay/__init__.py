"""Published ports in user space, for what the kernel cannot translate: ::1, and one family to another."""

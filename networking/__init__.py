"""Addresses, links, DNS, published ports, firewall; and the wire codecs of both halves."""

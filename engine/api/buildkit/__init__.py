"""BuildKit's protocol for foreign clients: gRPC over connections taken over from HTTP."""

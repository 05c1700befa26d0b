"""The registry client: OCI distribution and Docker v2 schema 2 over HTTP."""

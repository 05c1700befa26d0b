"""The Engine API's JSON, from and to the project's types. Pure."""

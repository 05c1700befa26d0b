"""Small processes that outlive the engine: how they listen, how the engine speaks to them."""

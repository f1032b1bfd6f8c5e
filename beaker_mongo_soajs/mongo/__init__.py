"""Everything that talks to a MongoDB server."""

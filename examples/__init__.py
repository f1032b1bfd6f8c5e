"""Examples: beaker_mongo_soajs in web frameworks, and a demo."""

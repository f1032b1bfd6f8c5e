"""Examples of beaker_mongo_soajs at work."""

"""The tests of beaker_mongo_soajs.testing."""

"""Tests of beaker_mongo_soajs.testing."""

"""Tests of MongoSession, behind Beaker's own SessionMiddleware."""

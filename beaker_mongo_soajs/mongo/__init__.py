"""The connection to MongoDB: clients, collections, indexes, errors and locks."""

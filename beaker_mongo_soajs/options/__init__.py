"""The option tables: every option of a dbConfig, what it takes, and what becomes of it. Pure."""

"""Commands that manage.py finds in this folder."""

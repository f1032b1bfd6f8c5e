"""Plain WSGI with WebOb."""

"""Old backends, from which sessions are moved. Nothing here imports their web frameworks."""

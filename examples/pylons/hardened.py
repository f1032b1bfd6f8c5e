"""Pylons with the ``SessionMiddleware`` of this package instead of Beaker's.

Requires: as ``wsgi.py``
Install:  as ``wsgi.py``
Run:      .pylons/bin/waitress-serve --listen=127.0.0.1:8080 examples.pylons.hardened:application
"""

from pathlib import Path

from paste.deploy import loadapp

application = loadapp(f"config:{Path(__file__).with_name('site.ini')}", name="hardened")

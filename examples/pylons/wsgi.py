"""Pylons 1.0.3, ported to Python 3; ``site.ini`` configures its sessions.

Requires: an environment of its own, and a MongoDB server: MONGODB_URL, or else that of ``site.ini``
Install:  python -m examples.pylons.environment
Run:      .pylons/bin/waitress-serve --listen=127.0.0.1:8080 examples.pylons.wsgi:application
"""

from pathlib import Path

from paste.deploy import loadapp

application = loadapp(f"config:{Path(__file__).with_name('site.ini')}")

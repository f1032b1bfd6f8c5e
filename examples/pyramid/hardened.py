"""Pyramid with MongoSession: ``site.ini`` includes ``beaker_mongo_soajs.pyramid``.

Requires: as ``wsgi.py``
Install:  as ``wsgi.py``
Run:      waitress-serve --listen=127.0.0.1:8080 examples.pyramid.hardened:application
"""

from pathlib import Path

from pyramid.paster import get_app

application = get_app(str(Path(__file__).with_name("site.ini")), "hardened")

"""Pyramid with pyramid_beaker and ``site.ini``: sessions, flash messages, CSRF tokens.

Requires: Pyramid 1.10 or later, and a MongoDB server: MONGODB_URL, or else that of ``site.ini``
Install:  pip install beaker_mongo_soajs pyramid pyramid_beaker pyramid_jinja2 waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.pyramid.wsgi:application
"""

from pathlib import Path

from pyramid.paster import get_app

application = get_app(str(Path(__file__).with_name("site.ini")))

"""Django, with its WSGI application wrapped: ``request.session`` is in MongoDB.

Requires: Django 4.2 or later, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs django waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.django.wsgi:application
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from beaker_mongo_soajs import SessionMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django.settings")
application = SessionMiddleware(get_wsgi_application(), settings.BEAKER)

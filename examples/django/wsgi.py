"""Django, with its sessions in MongoDB: ``SESSION_ENGINE`` in settings.py. The admin is at /admin/.

Requires: Django 4.2 or later, and a MongoDB server: MONGODB_URL, or else mongodb://127.0.0.1:27017
Install:  pip install "beaker_mongo_soajs[django]" waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.django.wsgi:application
Log in:   as admin, with the password admin
"""

import os

from django.contrib.auth.hashers import make_password
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django.settings")
# WSGI servers do not serve static files, such as the styles of the admin.
application = StaticFilesHandler(get_wsgi_application())

from django.contrib.auth.models import User  # noqa: E402 - needs the settings

call_command("migrate", verbosity=0)
# Processes have databases of their own, which have to agree on the user: no random salt.
password = make_password("admin", "the salt of this example")
User.objects.create(username="admin", password=password, is_staff=True, is_superuser=True)

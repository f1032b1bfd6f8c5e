"""The settings of the project."""

import os
import tempfile
from pathlib import Path

# Signs the CSRF tokens. Keep it secret, and use the same in all processes.
SECRET_KEY = "a long random text"  # noqa: S105 - a real one is not in the code
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "examples.django.urls"
STATIC_URL = "static/"
USE_TZ = True

SESSION_ENGINE = "beaker_mongo_soajs.django"
BEAKER_MONGO = {
    "url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
    "name": "examples",
}
SESSION_COOKIE_AGE = 1800

# As startproject makes them, with one more application, which checks BEAKER_MONGO.
INSTALLED_APPS = [
    "beaker_mongo_soajs.django",
    *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes")),
    *(f"django.contrib.{name}" for name in ("messages", "staticfiles")),
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
_PROCESSORS = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": _PROCESSORS},
    }
]
# The users of the admin, in a file that is deleted with the process.
_FOLDER = tempfile.TemporaryDirectory()
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(_FOLDER.name) / "users"}
}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

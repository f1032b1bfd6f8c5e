"""A Django project in this process, for the tests."""

import secrets
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

ENGINE = "beaker_mongo_soajs.django"
PASSWORD = secrets.token_urlsafe(12)

_APPS = ("admin", "auth", "contenttypes", "messages", "sessions")
_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
_PROCESSORS = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)


def configure(folder: Path) -> None:
    """Configure Django, and make the tables of its own database.

    :param folder: the folder for the file of that database.
    """
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "users"}
    settings.configure(
        ALLOWED_HOSTS=["*"],
        # Threads wait for the lock of the file.
        DATABASES={"default": database | {"OPTIONS": {"timeout": 60}}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[ENGINE, *(f"django.contrib.{name}" for name in _APPS)],
        LOGIN_URL="/login",
        MIDDLEWARE=_MIDDLEWARE,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="tests.django.urls",
        SECRET_KEY=secrets.token_urlsafe(24),
        SESSION_ENGINE=ENGINE,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": _PROCESSORS},
            }
        ],
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)

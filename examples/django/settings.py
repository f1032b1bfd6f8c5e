"""The settings of the project; those of the sessions are in ``BEAKER``."""

import os

# It signs the cookies: the same in all processes, and known to nobody else.
SECRET_KEY = "a long random text"  # noqa: S105 - a real one stands outside of the code
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "examples.django.urls"
USE_TZ = True
MIDDLEWARE = [
    # In the place of django.contrib.sessions.middleware.SessionMiddleware.
    "examples.django.middleware.beaker_session",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]

BEAKER = {
    "session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
    "session.name": "examples",
    "session.timeout": 1800,
    "session.secret": SECRET_KEY,
    # True where the site is served over HTTPS.
    "session.secure": False,
}

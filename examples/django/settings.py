"""The settings of the project. ``BEAKER`` has the settings of the sessions."""

import os

# Signs the cookies. Keep it secret, and use the same in all processes.
SECRET_KEY = "a long random text"  # noqa: S105 - a real one is not in the code
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "examples.django.urls"
USE_TZ = True
MIDDLEWARE = [
    # Replaces django.contrib.sessions.middleware.SessionMiddleware.
    "examples.django.middleware.beaker_session",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]

BEAKER = {
    "session.url": os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017"),
    "session.name": "examples",
    "session.timeout": 1800,
    "session.secret": SECRET_KEY,
    # Set it to True if the site uses HTTPS.
    "session.secure": False,
}

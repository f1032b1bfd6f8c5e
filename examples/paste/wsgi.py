"""Paste Deploy, whose INI file puts the filter of this package before an application.

Requires: PasteDeploy 2.1 or later, WebOb 1.8, and a MongoDB server: MONGODB_URL, or else
          mongodb://127.0.0.1:27017
Install:  pip install beaker_mongo_soajs PasteDeploy webob waitress
Run:      waitress-serve --listen=127.0.0.1:8080 examples.paste.wsgi:application
"""

import os
from pathlib import Path

from paste.deploy import loadapp

url = os.environ.get("MONGODB_URL", "mongodb://127.0.0.1:27017")
application = loadapp(
    f"config:{Path(__file__).with_name('site.ini')}",
    # In an INI file, one percent sign is written as two.
    global_conf={"mongodb_url": url.replace("%", "%%")},
)

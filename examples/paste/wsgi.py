"""Paste Deploy, with the filter of this package in an INI file.

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
    # INI files escape a percent sign by doubling it.
    global_conf={"mongodb_url": url.replace("%", "%%")},
)

"""Let tools that only know setup.py build the package; its metadata stands in pyproject.toml."""

from setuptools import setup

setup()

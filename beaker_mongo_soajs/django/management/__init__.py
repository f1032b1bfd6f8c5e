"""The management folder that Django looks for in an application."""

"""The tests with a real browser: Chromium, driven by Playwright."""

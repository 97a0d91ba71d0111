"""`/docs` in a browser."""

from __future__ import annotations

from selenium.webdriver.common.by import By

from bench.server import Server
from tests.browser.conftest import Browser
from tests.conftest import wait_until


def test_docs_are_shown(browser: Browser, server: Server) -> None:
    """By Swagger UI from this server alone; a request can be tried out in it."""
    browser.get(f"{server.url}/docs")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".opblock-summary"), 60)
    assert "/api/tts" in browser.find_element(By.TAG_NAME, "body").text
    browser.find_element(By.ID, "operations-health-health_readyz_get").click()
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".execute"), 60)
    # By script, since it moves while it unfolds.
    browser.execute_script("document.querySelector('.execute').click()")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".live-responses-table"), 60)
    assert "nano" in browser.find_element(By.CSS_SELECTOR, ".live-responses-table").text

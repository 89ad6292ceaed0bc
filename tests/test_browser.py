import pytest

from tests.browser import browsing, needs_browser


@needs_browser
def test_a_request_to_another_machine_fails_the_test() -> None:
    address = "http://192.0.2.1/spy.png"
    left = pytest.raises(AssertionError, match=r"left the machine.*192\.0\.2\.1")
    with left, browsing() as page, page.expect_request(address):
        page.goto(f'data:text/html,<img src="{address}">', wait_until="commit")


@needs_browser
def test_a_script_that_fails_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="nothing_there"), browsing() as page:
        page.set_content("<script>nothing_there()</script>")

"""The hands that do what pages say: what fails must not pass for done."""

import sys
from pathlib import Path

import pytest

from tests.pages import Block
from tests.shells import run, visit

SERVER = """\
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()
        self.wfile.write(b"<html>a page</html>")
    def log_message(self, *_): pass
assert sys.argv[1:] == ["--port", "0"], sys.argv
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
print(f"a page: http://127.0.0.1:{server.server_address[1]}/there  (Ctrl-C ends it)", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(130)
"""


def block(text: str, remark: str = "") -> Block:
    return Block("bash", remark, text, 1)


def test_commands_run_in_the_folder_until_one_fails(tmp_path: Path) -> None:
    assert run(block("echo one > a\ncat a; pwd\n"), tmp_path, 60) == f"one\n{tmp_path}\n"
    with pytest.raises(AssertionError, match="line 1"):
        run(block("false\ntouch after\n"), tmp_path, 60)
    with pytest.raises(AssertionError):
        run(block("false | cat\n"), tmp_path, 60)
    assert not (tmp_path / "after").exists()


def test_a_server_is_visited_at_its_address_and_ended(tmp_path: Path) -> None:
    command = block(f"{sys.executable} server.py\n", "server")
    (tmp_path / "server.py").write_text(SERVER)
    assert visit(command, tmp_path, 60) == "<html>a page</html>"
    (tmp_path / "server.py").write_text(SERVER.replace("/there  (", "/  ("))
    with pytest.raises(OSError, match="404"):
        visit(command, tmp_path, 60)


@pytest.mark.parametrize(
    "command", ["exit 3", "echo http://127.0.0.1:1/; exit 0", "echo http://127.0.0.1:1/; sleep 60", "sleep 60"]
)
def test_what_does_not_serve_is_noticed(command: str, tmp_path: Path) -> None:
    (tmp_path / "server.sh").write_text(command)
    with pytest.raises((AssertionError, OSError)):
        visit(block("bash server.sh"), tmp_path, 2)

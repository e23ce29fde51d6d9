"""A browser for tests: Chromium without a window, driven through its own debugging protocol."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from websockets.sync.client import connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def needed() -> str:
    """The path of Chromium; without it, and outside CI, the test is skipped."""
    if CHROMIUM is None:
        if "CI" in os.environ:
            pytest.fail("no Chromium on this machine, and with CI set this test is never skipped: install chromium")
        pytest.skip("no Chromium on this machine: install chromium to test in a browser")
    return CHROMIUM


class Page:
    """One page. Scripts run in it; ``find`` and ``click`` wait until what they look for is there."""

    def __init__(self, profile: Path, *flags: str, width: int = 1400, height: int = 1000) -> None:
        command = [needed(), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
                   f"--user-data-dir={profile}", f"--window-size={width},{height}", *flags, "about:blank"]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr or ():
            if address := re.search(r"ws://\S+", line):
                break
        assert address, "Chromium did not start"
        self.socket = connect(address[0], max_size=None)
        self.number, self.session = 0, None
        self.console: list[Any] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Page:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait()

    def call(self, method: str, **params: Any) -> Any:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while (answer := json.loads(self.socket.recv(timeout=60))).get("id") != self.number:
            if answer["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(answer["params"])
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 60) -> Any:
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never came true: {script}\n{self.run('document.body.innerText')}"
            time.sleep(0.2)
        return value

    def click(self, selector: str, text: str = "") -> None:
        """Clicks with the mouse the innermost element of this selector that shows exactly this text.

        It waits until the element stands still and nothing lies over it: a page that is still being drawn moves.
        """
        script = f"""(() => {{
            const all = [...document.querySelectorAll({json.dumps(selector)})].filter(element =>
                element.checkVisibility() && (!{json.dumps(text)} || element.innerText?.trim() == {json.dumps(text)}));
            if (!all.length) return null;
            const element = all.at(-1); element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            const x = box.x + box.width / 2, y = box.y + box.height / 2, top = document.elementFromPoint(x, y);
            return top && (element.contains(top) || top.contains(element)) ? [x, y] : null; }})()"""
        before = None
        while (place := self.until(script)) != before:
            before = place
            time.sleep(0.3)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Types into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


def answer(file: Path, profile: Path) -> Any:
    """What the page in a file writes into its element "answer", however long that takes; its console stays empty."""
    with Page(profile, "--allow-file-access-from-files") as page:
        page.call("Runtime.enable")
        page.call("Log.enable")
        page.open(file.as_uri())
        text = page.until("document.getElementById('answer')?.textContent", 300)
        assert page.console == []
    return json.loads(text)

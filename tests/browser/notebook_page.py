"""One notebook, open in JupyterLab: run it, look at it, and collect everything that goes wrong."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, WebSocket

from tests.browser.kernel_messages import decode, problem_in
from tests.browser.lab import LabServer

RUN_SECONDS = 300
# The notebook that JupyterLab shows now; its methods are JupyterLab's own.
CURRENT = "const panel = window.jupyterapp?.shell?.currentWidget;"
SESSION = f"{CURRENT} const kernel = panel?.sessionContext?.session?.kernel;"


class NotebookPage:
    """A notebook (path or node) without its outputs, open in a JupyterLab of its own.

    `problems` grows with every console error, page error, HTTP status ≥ 400, request that leaves this
    machine, and error message from the kernel.
    """

    def __init__(self, browser: Browser, server: LabServer, notebook: Path | nbformat.NotebookNode, **context):
        self.problems: list[str] = []
        # What JupyterLab asked of the kernel. Its own status does not tell: widgets' messages are handled in a
        # thread of the kernel that JupyterLab's status leaves out.
        self._unanswered: dict[str, str] = {}
        self._name = self._copy(notebook, server.root)
        self.context: BrowserContext = browser.new_context(**{"viewport": {"width": 1400, "height": 1000}} | context)
        self.page: Page = self.context.new_page()
        self._listen()
        # A workspace of its own: nothing is restored from the notebook before.
        workspace = uuid.uuid4().hex
        self.page.goto(f"{server.url}/lab/workspaces/{workspace}/tree/{self._name}?reset&token={server.token}")
        self.page.wait_for_function(f"() => {{ {SESSION} return kernel?.status === 'idle'; }}", timeout=90_000)

    def __enter__(self) -> NotebookPage:
        return self

    def __exit__(self, *_) -> None:
        self.page.evaluate(f"async () => {{ {CURRENT} await panel.sessionContext.shutdown(); }}")
        self.context.close()

    def run_all(self, seconds: float = RUN_SECONDS) -> None:
        """Run every cell as a reader does, through JupyterLab's command, and wait until all is quiet."""
        self.page.set_default_timeout(seconds * 1000)
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_until_idle(seconds)
        self.page.set_default_timeout(30_000)

    def wait_until_idle(self, seconds: float = 60) -> None:
        """Wait until the kernel has answered everything, and nothing new was asked for a quarter of a second.

        Raises:
            TimeoutError: it has not, after so many seconds.
        """
        deadline, quiet_since = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() - quiet_since < 0.25:
            self.page.wait_for_timeout(25)
            if self._unanswered:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds} s the kernel still works on: {self._unanswered.values()}")

    def cell_problems(self) -> list[str]:
        """Code cells that were not run, or that ended in an error."""
        cells = self.page.evaluate(
            f"""() => {{ {CURRENT}
                return panel.content.widgets.map(cell => cell.model.toJSON()).filter(c => c.cell_type === 'code');
            }}"""
        )
        problems = []
        for number, cell in enumerate(cells, 1):
            start = "".join(cell["source"]).strip().split("\n")[0]
            if start and cell["execution_count"] is None:
                problems.append(f"code cell {number} was not run: {start}")
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    problems.append(f"code cell {number} ({start}): {output['ename']}: {output['evalue']}")
        return problems

    def cell_states(self) -> tuple[int, int]:
        """Number of cells, and which of them is selected."""
        states = f"() => {{ {CURRENT} return [panel.content.widgets.length, panel.content.activeCellIndex]; }}"
        return tuple(self.page.evaluate(states))

    def check(self) -> None:
        """Raise AssertionError that lists all that went wrong so far."""
        problems = [*self.cell_problems(), *self.problems]
        assert not problems, "\n".join(problems)

    def python(self, code: str) -> str:
        """Run code in the notebook's kernel, beside its cells and after all it was asked; return what it printed."""
        self.wait_until_idle()
        printed = self.page.evaluate(
            f"""async code => {{ {SESSION}
                let text = '';
                const future = kernel.requestExecute({{code, store_history: false}});
                future.onIOPub = message => {{
                    if (message.content.name === 'stdout') text += message.content.text;
                }};
                await future.done;
                return text;
            }}""",
            code,
        )
        return printed.rstrip("\n")

    def use_theme(self, dark: bool) -> None:
        """Switch JupyterLab to its light or dark theme."""
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        light = "false" if dark else "true"
        self.page.wait_for_selector(f'body[data-jp-theme-light="{light}"]', state="attached")

    @staticmethod
    def _copy(notebook: Path | nbformat.NotebookNode, root: Path) -> str:
        node = nbformat.read(notebook, as_version=4) if isinstance(notebook, Path) else notebook
        for cell in node.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        stem = notebook.stem if isinstance(notebook, Path) else "notebook"
        name = f"{stem}_{uuid.uuid4().hex[:8]}.ipynb"
        nbformat.write(node, root / name)
        return name

    def _listen(self) -> None:
        page = self.page
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}\n{error.stack}"))
        page.on("websocket", self._on_websocket)
        self.context.on("request", self._on_request)
        self.context.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
            self.problems.append(f"request off this machine: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"HTTP {response.status}: {urlsplit(response.url).path}")

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/api/kernels/" in socket.url:
            socket.on("framesent", self._on_request_to_kernel)
            socket.on("framereceived", self._on_answer_of_kernel)

    def _on_request_to_kernel(self, frame: str | bytes) -> None:
        message = decode(frame)
        if message["channel"] == "shell":
            self._unanswered[message["header"]["msg_id"]] = message["header"]["msg_type"]

    def _on_answer_of_kernel(self, frame: str | bytes) -> None:
        message = decode(frame)
        if message["content"].get("execution_state") == "idle":
            self._unanswered.pop(message["parent_header"].get("msg_id"), None)
        problem = problem_in(message)
        if problem:
            self.problems.append(problem)

"""The book: its configuration, the extensions it is built with, and its built pages as a browser sees them.

The tests marked `built` open every page of `_build/html` in headless Chromium, driven over its DevTools protocol, and are
skipped where the book has not been built or there is no Chromium.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.parse
import urllib.request

import pytest
import yaml
from tornado.websocket import websocket_connect

from marlpaper.claims.check import VERDICTS

ROOT = pathlib.Path(__file__).parents[1]
HTML = ROOT / "_build" / "html"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import api_reference  # noqa: E402
import claims_ledger  # noqa: E402


def read_yaml(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def toc_files(entry):
    """All pages named in the table of contents."""
    if isinstance(entry, dict):
        own = [entry[key] for key in ("root", "file") if key in entry]
        return own + [name for value in entry.values() for name in toc_files(value)]
    return [name for item in entry for name in toc_files(item)] if isinstance(entry, list) else []


# Configuration


def test_repository_url_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    url = project["project"]["urls"]["Repository"]
    assert read_yaml("_config.yml")["repository"]["url"] == url
    assert read_yaml("CITATION.cff")["repository-code"] == url
    named = re.findall(r"https://github\.com/[\w-]+/[\w-]+", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {url}


def test_pages_leave_the_repository_url_to_the_configuration():
    written = [*(ROOT / "notebooks").glob("*.md"), *(ROOT / "book").glob("*.md")]
    url = read_yaml("_config.yml")["repository"]["url"]
    assert [path.name for path in written if url in path.read_text(encoding="utf-8")] == []


def test_every_page_of_the_table_of_contents_exists():
    pages = toc_files(read_yaml("_toc.yml"))
    assert len(pages) == len(set(pages)) > 5
    assert [page for page in pages if not any((ROOT / (page + end)).exists() for end in (".md", ".ipynb"))] == []


def test_every_page_and_notebook_is_in_the_table_of_contents():
    written = [*(ROOT / "notebooks").glob("*.md"), *(ROOT / "book").glob("*.md")]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in written}
    assert names - set(toc_files(read_yaml("_toc.yml"))) == set()


# Extensions


def test_the_ledger_has_a_badge_for_each_verdict():
    assert set(claims_ledger.VERDICTS) == set(VERDICTS)
    styles = (ROOT / "book" / "_static" / "marlpaper.css").read_text(encoding="utf-8")
    for verdict in VERDICTS:
        kind = re.search(r"verdict-\w+", claims_ledger.badge(verdict)).group()
        assert f".{kind} {{" in styles
        assert verdict in claims_ledger.badge(verdict)


def test_bars_grow_with_the_ratio_and_stay_in_their_box():
    ratios = [0.0, 1e-9, 1e-4, 0.5, 1.0, 1.4, 1e9, float("inf")]
    places = [claims_ledger.fraction(ratio) for ratio in ratios]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 1)
    assert 0.5 < claims_ledger.fraction(1.0) < 1


@pytest.mark.parametrize(
    ("ratio", "text", "kind"),
    [
        (None, "—", None),
        ("inf", "∞", "violated"),
        (1.2, "1.2", "violated"),
        (1.0, "1", "kept"),
        (1.234e-7, "1.2e-07", "kept"),
        (0.0, "0", "kept"),
    ],
)
def test_bars_say_in_words_what_they_show(ratio, text, kind):
    shown = claims_ledger.bar(claims_ledger.number(ratio))
    assert f">{text}<" in shown
    assert ('class="violated"' in shown, 'class="kept"' in shown) == (kind == "violated", kind == "kept")


def test_the_ledger_finds_the_section_that_checks_a_claim():
    source = '# Title\nids = ["p.a", "p.b"]\n\n(one)=\n## One\n`p.c`\n\n(two)=\n## Two\nclaims.check("p.a", run)\n["p.c"]\n'
    found = {claim: claims_ledger.section_of(source, claim) for claim in ("p.a", "p.b", "p.c", "p.d")}
    assert found == {"p.a": "two", "p.b": None, "p.c": "one", "p.d": None}


def test_docstrings_become_restructuredtext():
    convert = api_reference.to_restructuredtext
    assert convert("of $|x|$ and `a|b`") == "of :math:`|x|`\\  and `a|b`"
    assert convert("|a - b| of (S, *rest)") == "\\|a - b\\| of (S, \\*rest)"
    assert convert("sum $$a\nb$$ end") == "sum \n\n.. math:: a b\n\n end"
    assert convert(">>> f(*x) | 1") == ">>> f(*x) | 1"


def test_attributes_that_share_an_entry_are_split():
    text = "Attributes\n----------\na, b : int\n    Both.\nc : str\n\nRaises\n------\nx, y : z\n"
    split = "Attributes\n----------\na : int\n    Both.\nb : int\n    Both.\nc : str\n\nRaises\n------\nx, y : z\n"
    assert api_reference.one_attribute_each(text) == split


# Built pages

LOOK = r"""
(async () => {
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done));
  if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
  const article = document.querySelector("article") ?? document.body;
  const all = (selector) => [...article.querySelectorAll(selector)];
  const prose = article.cloneNode(true);
  prose.querySelectorAll("pre, code, script, style, mjx-container, .sig").forEach((node) => node.remove());
  return {
    typeset: all("mjx-container").length,
    formulas: all(".math").length,
    broken: all("mjx-merror, [data-mjx-error]").map((node) => node.textContent),
    raw: prose.textContent.match(/\\\(|\\\[|\\frac|\\sum|\\begin\{|\$[^$\n]{1,80}\$|:::|\{(?:prf:|cite|doc|ref)\S*/g) ?? [],
    tracebacks: all(".output.traceback, .output_error").length,
    images: [...document.images].filter((image) => !image.complete || !image.naturalWidth).map((image) => image.src),
    nameless: all("img").filter((image) => !image.alt.trim()).map((image) => image.src),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: all("h1").length,
  };
})()
"""


SEARCH = """{
  const box = document.querySelector(".ledger-controls input");
  box.value = "mao2023.lemma8";
  box.dispatchEvent(new Event("input"));
}"""


# What would be fetched from elsewhere without a click.
REMOTE_SOURCE = r'<(?:script|img|iframe|source|object|embed)\b[^>]*?(?:src|data)="(?:https?:)?//[^"]*'
REMOTE_LINK = r'<link\b[^>]*rel="(?:stylesheet|preload|icon|shortcut icon)"[^>]*href="(?:https?:)?//[^"]*'
REMOTE_IN_STYLE = r"""(?:url\(|@import\s)['"]?(?:https?:)?//[^)'"]*"""


def remote(pattern, path):
    """What in a file the pattern finds."""
    return re.findall(pattern, path.read_text(encoding="utf-8"))


@dataclasses.dataclass
class Visit:
    """What a browser saw on one page."""

    requests: list
    exceptions: list
    look: dict
    wider_on_a_phone: int


class Chromium:
    """One page of a headless Chromium, driven over its DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.numbers, self.events = socket, itertools.count(1), []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, port):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new", method="PUT")
        with urllib.request.urlopen(request, timeout=20) as answer:
            address = json.load(answer)["webSocketDebuggerUrl"]
        socket = await websocket_connect(address, max_message_size=2**26)
        try:
            page = cls(socket)
            for domain in ("Network", "Page", "Runtime"):
                await page.send(f"{domain}.enable")
            yield page
        finally:
            socket.close()
            while await socket.read_message() is not None:  # None: the other side has closed too
                pass

    async def send(self, method, **parameters):
        number = next(self.numbers)
        await self.socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await asyncio.wait_for(self.socket.read_message(), 60))
            if message.get("id") == number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    async def evaluate(self, script):
        result = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def resize(self, width):
        await self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    async def go(self, path, query=""):
        """Begin to load a page, and return once the browser is there."""
        self.events.clear()
        await self.resize(1280)
        await self.send("Page.navigate", url=path.as_uri() + query)
        while await self.evaluate("location.href") != path.as_uri() + query:
            await asyncio.sleep(0.05)

    async def visit(self, path):
        await self.go(path)
        look = await self.evaluate(LOOK)
        await self.resize(390)
        phone = await self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        sent = [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        thrown = [event["params"] for event in self.events if event["method"] == "Runtime.exceptionThrown"]
        return Visit(sent, thrown, look, phone)


@pytest.fixture(scope="module")
def pages():
    if not (HTML / "index.html").exists():
        pytest.skip("the book has not been built: run `make book`.")
    generated = {"_static", "genindex.html", "search.html", "py-modindex.html", "prf-prf.html", "index.html"}
    found = [path for path in sorted(HTML.rglob("*.html")) if path.relative_to(HTML).parts[0] not in generated]
    assert len(found) > 5
    return found


@pytest.fixture(scope="module")
def port(pages, tmp_path_factory):
    """A running Chromium that can resolve no host name; its DevTools port."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium to open the pages with: install Debian's `chromium`.")
    profile = tmp_path_factory.mktemp("chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    offline = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={profile}"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([CHROMIUM, *options, *offline, "about:blank"], **silent)
    try:
        yield _port(profile / "DevToolsActivePort", process)
    finally:
        process.terminate()
        process.wait(20)


def _port(path, process):
    for _ in range(600):
        assert process.poll() is None, "Chromium ended before it was ready"
        if path.exists() and path.read_text().strip():
            return int(path.read_text().split()[0])
        time.sleep(0.1)
    raise AssertionError("Chromium did not open its DevTools port within a minute")


@pytest.fixture(scope="module")
def visits(pages, port):
    """Each page's name and what the browser saw on it."""

    async def everything():
        async with Chromium.open(port) as browser:
            return {path.relative_to(HTML).as_posix(): await browser.visit(path) for path in pages}

    return asyncio.run(everything())


def offenders(visits, judge):
    """Pages on which `judge` finds something, with what it finds."""
    return {name: found for name, visit in visits.items() if (found := judge(visit))}


@pytest.mark.built
@pytest.mark.slow
def test_no_request_leaves_the_machine(visits):
    local = ("file:", "data:", "blob:", "about:")
    assert offenders(visits, lambda visit: [url for url in visit.requests if not url.startswith(local)]) == {}
    assert all(visit.requests for visit in visits.values())


@pytest.mark.built
@pytest.mark.slow
def test_no_page_names_a_remote_script_style_or_image(pages):
    found = {path.name: [*remote(REMOTE_SOURCE, path), *remote(REMOTE_LINK, path)] for path in pages}
    styles = {path.name: remote(REMOTE_IN_STYLE, path) for path in HTML.rglob("*.css")}
    assert {name: urls for name, urls in (found | styles).items() if urls} == {}


@pytest.mark.built
@pytest.mark.slow
def test_mathematics_is_typeset(visits):
    assert offenders(visits, lambda visit: visit.look["typeset"] < visit.look["formulas"]) == {}
    assert offenders(visits, lambda visit: visit.look["broken"]) == {}
    assert visits["notebooks/proofs-miss.html"].look["typeset"] > 20


@pytest.mark.built
@pytest.mark.slow
def test_no_markup_is_left_raw(visits):
    assert offenders(visits, lambda visit: visit.look["raw"]) == {}


@pytest.mark.built
@pytest.mark.slow
def test_no_page_shows_an_error(visits):
    assert offenders(visits, lambda visit: visit.look["tracebacks"]) == {}
    assert offenders(visits, lambda visit: visit.exceptions) == {}


@pytest.mark.built
@pytest.mark.slow
def test_images_load_and_have_words(visits):
    assert offenders(visits, lambda visit: visit.look["images"]) == {}
    assert offenders(visits, lambda visit: visit.look["nameless"]) == {}


@pytest.mark.built
@pytest.mark.slow
def test_no_page_scrolls_sideways(visits):
    assert offenders(visits, lambda visit: visit.look["wider"] > 1) == {}
    assert offenders(visits, lambda visit: visit.wider_on_a_phone > 1) == {}


@pytest.mark.built
@pytest.mark.slow
def test_each_page_has_one_title(visits):
    assert offenders(visits, lambda visit: visit.look["headings"] != 1) == {}


@pytest.mark.built
@pytest.mark.slow
def test_local_links_lead_somewhere(pages):
    """Raw HTML, such as the ledger's, is not seen by Sphinx's own check of references."""
    texts = {path: path.read_text(encoding="utf-8") for path in HTML.rglob("*.html")}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    lost = []
    for page in pages:
        for link, fragment in re.findall(r'<a\b[^>]*?\bhref="([^"#:?]*)(?:#([^"]*))?"', texts[page]):
            target = (page.parent / urllib.parse.unquote(link)).resolve() if link else page
            anchored = not fragment or target not in anchors or urllib.parse.unquote(fragment) in anchors[target]
            lost += [] if target.exists() and anchored else [f"{page.name}: {link}#{fragment}"]
    assert lost == []


@pytest.mark.built
@pytest.mark.slow
def test_the_search_finds_a_chapter(pages, port):
    async def use():
        async with Chromium.open(port) as browser:
            await browser.go(HTML / "search.html", "?q=equilibrium")
            for _ in range(100):
                if "finished" in await browser.evaluate("document.getElementById('search-results')?.textContent ?? ''"):
                    break
                await asyncio.sleep(0.1)
            return await browser.evaluate("[...document.querySelectorAll('#search-results li a')].map((link) => link.pathname)")

    assert any(path.endswith("notebooks/setting.html") for path in asyncio.run(use()))


@pytest.mark.built
@pytest.mark.slow
def test_the_ledger_sorts_and_filters(pages, port):
    rows = "[...document.querySelectorAll('#ledger tbody')].filter((row) => !row.hidden)"

    async def use():
        async with Chromium.open(port) as browser:
            await browser.go(HTML / "book" / "ledger.html")
            await browser.evaluate(LOOK)
            if not await browser.evaluate("!!document.getElementById('ledger')"):
                return None
            total = await browser.evaluate(f"{rows}.length")
            await browser.evaluate("document.querySelector('#ledger th[data-key=ratio] button').click()")
            ratios = await browser.evaluate(f"{rows}.map((row) => row.dataset.ratio)")
            direction = await browser.evaluate("document.querySelector('#ledger th[data-key=ratio]').ariaSort")
            await browser.evaluate(SEARCH)
            return total, ratios, direction, await browser.evaluate(f"{rows}.map((row) => row.dataset.claim)")

    seen = asyncio.run(use())
    if seen is None:
        pytest.skip("no run has been recorded, so the ledger is empty: run `make book`.")
    total, ratios, direction, left = seen
    measured = [float(ratio) for ratio in ratios if ratio]
    assert direction == "descending"
    assert measured == sorted(measured, reverse=True)
    assert ratios == [ratio for ratio in ratios if ratio] + [""] * (total - len(measured))
    assert total > len(left) >= 1
    assert "mao2023.lemma8" in left

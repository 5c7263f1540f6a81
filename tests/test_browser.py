"""Lessons in a real JupyterLab: run, click, move, listen. Needs Chromium.

python -m pytest tests/test_browser.py; screenshots go to build/browser.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from test_audio import by_pyav

from tagkit import widgets
from tagkit.data import audio, corpus
from tagkit.training import checkpoints

playwright = pytest.importorskip("playwright.sync_api")
ROOT = Path(__file__).parents[1]
HANG = 1800  # seconds after which nothing comes any more
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")

STATE = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const session = panel?.context?.sessionContext;
  const cells = [...(panel?.content?.model?.cells || [])].map(c => c.toJSON());
  const code = cells.filter(c => c.cell_type == 'code');
  return {idle: !!panel?.context?.isReady && session?.session?.kernel?.status == 'idle',
          ended: code.every(c => c.execution_count) || code.some(
            c => c.outputs.some(o => o.output_type == 'error'))}; }"""
FOUND = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = [...panel.content.model.cells].map(c => c.toJSON());
  const outputs = cells.flatMap(c => c.outputs || []);
  return {
    errors: outputs.filter(o => o.output_type == 'error' || o.name == 'stderr'),
    not_run: cells.filter(c => c.cell_type == 'code' && !c.execution_count).length,
    broken: (panel.node.innerText.match(/Error (displaying|creating) widget/g) || []),
    mute: [...panel.node.querySelectorAll('audio')].filter(
      a => a.error || (a.preload != 'none' && !(a.duration > 0))).length,
    without_alt: [...panel.node.querySelectorAll('.jp-OutputArea img')].filter(
      i => !i.alt).length}; }"""

START = """from pathlib import Path
from tagkit import cli, lab
lab.ROOT = Path({root!r})
cli.main(["lab", "--", *{options!r}])"""
RUN = """words => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = [...notebook.model.cells].findIndex(
    c => c.type == 'code' && c.sharedModel.source.includes(words));
  window.jupyterapp.commands.execute('notebook:run-cell'); }"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, mini_store):
    """`tagkit lab` on a project whose copies are not yet made; its address."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "course", root / "course")  # no diagram through a link
    for path in ROOT.iterdir():
        if path.name not in ("course", "work"):
            (root / path.name).symlink_to(path)
    settings = root / "settings"  # all cells in the page, also those far below
    tracker = settings / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
    }
    environment.pop("TAGKIT_STATIC", None)  # widgets are to be alive
    options = [
        *("--no-browser", f"--port={port}", "--IdentityProvider.token="),
        "--LabApp.expose_app_in_browser=True",
    ]
    code = START.format(root=str(root), options=options)
    command = [sys.executable, "-c", code]
    with (root / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            wait(lambda: answers(f"{address}/api"))
            yield address
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        opened = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def run(lab, browser):
    """Run a lesson from top to bottom, and say that nothing went wrong."""
    console, pages = [], []

    def from_top_to_bottom(name):
        page = browser.new_page(viewport={"width": 1000, "height": 1000})
        pages.append((name, page))
        page.on("console", lambda m: m.type == "error" and console.append(m.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(f"{lab}/doc/tree/work/course/{name}.ipynb")
        wait(lambda: page.evaluate(STATE)["idle"], page)
        page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }"
        )
        done = {"idle": True, "ended": True}
        wait(lambda: page.evaluate(STATE) == done, page)
        wait(
            lambda: page.evaluate(FOUND)["mute"] == 0, page
        )  # players read their sound
        nothing = {"errors": [], "not_run": 0, "broken": [], "mute": 0}
        assert page.evaluate(FOUND) == nothing | {"without_alt": 0}
        return page

    yield from_top_to_bottom
    shots = ROOT / "build" / "browser"
    shots.mkdir(parents=True, exist_ok=True)
    for name, page in pages:
        page.screenshot(path=shots / f"{name}.png")
        page.close()
    assert console == []


def wait(is_so, page=None):
    """Wait until something is so; a busy machine may take its time."""
    end = time.monotonic() + HANG
    while not is_so():
        assert time.monotonic() < end, f"not so after {HANG} s: it hangs"
        page.wait_for_timeout(500) if page else time.sleep(0.5)


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=2).status == 200
    except OSError:
        return False


def test_lesson_05_relabels_cuts_and_shows_a_taggram(run):
    page = run("05_per_tag_evaluation")

    def cell(words):
        return page.locator(".jp-Cell").filter(has_text=words).last

    relabel = cell("widgets.relabel(")
    told = relabel.locator(".jupyter-widgets")
    before = told.get_by_role("status").last.inner_text()
    assert "network gives" not in relabel.inner_text()  # until the answer is given
    box = relabel.locator("div:has(> audio)").first
    seeks(page, box)
    relabel.get_by_role("button", name="It is there", exact=True).click()
    wait(lambda: "network gives" in relabel.inner_text(), page)
    wait(lambda: "2 of 10: is" in relabel.inner_text(), page)  # the next one is there
    relabel.get_by_role("button", name="Can't tell", exact=True).click()
    wait(lambda: "3 of 10: is" in relabel.inner_text(), page)
    wait(lambda: "1 you could not tell" in relabel.inner_text(), page)
    assert told.get_by_role("status").last.inner_text() != before
    shoot(page, relabel, "relabel")

    cut = cell("widgets.threshold_slider(")
    handle = cut.locator(".noUi-handle")
    handle.scroll_into_view_if_needed()
    handle.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    wait(lambda: "threshold 0.30" in cut.inner_text(), page)
    assert "lowest yes" in cut.inner_text() and cut.locator("audio").count() == 2
    cut.get_by_role("combobox").select_option("drums")
    wait(lambda: "drums, threshold 0.30" in cut.inner_text(), page)
    shoot(page, cut, "threshold")

    line = page.locator(".jp-OutputArea-output div:has(> audio):has(output)")
    plays_and_seeks(page, line)
    shoot(page, line, "taggram")


def shoot(page, place, name):
    place.scroll_into_view_if_needed()
    folder = ROOT / "build" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    place.screenshot(path=folder / f"05-{name}.png")


def seeks(page, box):
    """A click on a picture plays from there, and its cursor goes along."""
    picture, player = box.locator("img"), box.locator("audio")
    picture.scroll_into_view_if_needed()
    begin = box.evaluate(CURSOR)
    size = picture.bounding_box()
    picture.click(position={"x": size["width"] / 2, "y": size["height"] / 2})
    wait(lambda: player.evaluate("sound => sound.played.length > 0"), page)
    wait(lambda: box.evaluate(CURSOR) > begin + 0.2, page)
    player.evaluate("sound => sound.pause()")


def test_lesson_06_maps_lists_and_learns(run):
    page = run("06_recommendation")
    for place in (0, 1):
        clicks_and_plays(page, page.locator("[data-map]").nth(place))
    (ROOT / "build" / "browser").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ROOT / "build" / "browser" / "map.png")

    variety = page.locator(".jupyter-widgets .noUi-handle").first
    variety.scroll_into_view_if_needed()
    before = page.locator(".jupyter-widgets ol").first.inner_text()
    assert "to the first 0." in before and "to the others 0." in before
    variety.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    wait(lambda: page.locator(".jupyter-widgets ol").first.inner_text() != before, page)

    page.get_by_role("checkbox", name="skip it").first.check()
    page.get_by_role("button", name="Next 5").click()
    said = page.locator(".jupyter-widgets [role=status]").filter(has_text="kept")
    said.wait_for(timeout=1000 * HANG)
    assert said.inner_text().startswith("4 kept, 1 skipped")
    page.screenshot(path=ROOT / "build" / "browser" / "radio.png")


def clicks_and_plays(page, box):
    """A click plays, draws and lists; the list plays on; colours and zoom work."""
    marks, player, rows = box.locator("[data-clip]"), box.locator("audio"), "ol button"
    marks.first.wait_for(timeout=1000 * HANG)
    marks.first.scroll_into_view_if_needed()
    on_top = marks.evaluate_all(
        "all => all.findIndex(mark => { const box = mark.getBoundingClientRect();"
        "return document.elementFromPoint(box.x + box.width / 2,"
        "box.y + box.height / 2) === mark; })"
    )
    mark = marks.nth(on_top)  # others may lie below their neighbours
    mark.hover()
    name = mark.get_attribute("aria-label").removeprefix("play ")
    assert box.locator("svg .name").text_content() == name
    mark.click()
    wait(lambda: player.evaluate("a => !a.paused && a.currentTime > 0"), page)
    said = box.locator("output")
    assert name.split(" (clip")[0].split(", by")[0] in said.inner_text()
    assert box.locator("svg line").count() == 3 == box.locator(rows).count() - 1
    before = said.inner_text()
    player.evaluate("a => { a.currentTime = a.duration - 0.2 }")
    wait(lambda: said.inner_text() != before, page)  # the next one plays
    player.evaluate("a => a.pause()")

    colour = "all => all.map(mark => mark.textContent + mark.style.fill).join()"
    before = marks.evaluate_all(colour)
    box.locator("select").select_option("1")
    assert marks.evaluate_all(colour) != before
    shown = "all => all.map(mark => mark.getBoundingClientRect().x).join()"
    before = marks.evaluate_all(shown)
    box.get_by_role("button", name="zoom in").click()
    assert marks.evaluate_all(shown) != before
    box.get_by_role("button", name="whole map").click()
    assert marks.evaluate_all(shown) == before
    mark.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")  # not JupyterLab's
    wait(lambda: player.evaluate("a => !a.paused && a.currentTime > 0"), page)
    player.evaluate("a => a.pause()")


def test_a_map_lives_in_a_file(browser, tmp_path):
    """As on a web site: no kernel, no server."""
    music = corpus.open("recorded")
    points = np.random.default_rng(0).normal(size=(8, 2))
    kinds = {"kind": list("aabbccdd"), "artist": music.clips["artist"][:8]}
    lists = np.array([[(i + 1) % 8, (i + 2) % 8, (i + 3) % 8] for i in range(8)])
    view = widgets.clip_map(music, music.clips.index[:8], points, kinds, lists)
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8>{view.html}")
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    clicks_and_plays(page, page.locator("[data-map]"))
    (ROOT / "build" / "browser").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ROOT / "build" / "browser" / "map_in_a_file.png")
    page.close()


def test_lesson_08_labels_and_goes_on_after_a_restart(run):
    page = run("08_borrowed_ears")
    asked = page.locator(".jp-OutputArea").filter(has_text="of 24 kept").last
    said = asked.locator("[role=status]")
    ticks = asked.locator("input[type=checkbox]")
    assert "0 of 24 kept" in said.inner_text() and ticks.count() == 2
    ticks.first.scroll_into_view_if_needed()
    ticks.first.check()
    go_on = asked.get_by_role("button", name="Keep and go on")
    go_on.click()
    wait(lambda: "1 of 24 kept" in said.inner_text(), page)
    assert "1 yes, 0 no" in said.inner_text() and not ticks.first.is_checked()
    playing = "all => all.filter(a => !a.paused && a.currentTime > 0).length"
    wait(lambda: asked.locator("audio").evaluate_all(playing) == 1, page)
    go_on.focus()
    page.keyboard.press("Enter")
    wait(lambda: "2 of 24 kept" in said.inner_text(), page)
    page.evaluate(RUN, "widgets.label(")  # what the table kept is read again
    wait(lambda: page.evaluate(STATE)["idle"], page)
    again = page.locator(".jp-OutputArea").filter(has_text="of 24 kept").last
    wait(lambda: "3 of 24" in again.inner_text(), page)
    again.get_by_role("button", name="Back").click()
    again.get_by_role("button", name="Back").click()
    wait(lambda: again.locator("input[type=checkbox]").first.is_checked(), page)


CURSOR = """box => {
  const picture = box.querySelector('img').getBoundingClientRect();
  const line = box.querySelector('img + i').getBoundingClientRect();
  return (line.x - picture.x) / picture.width; }"""


def plays_and_seeks(page, box):
    """The cursor of a taggram moves with its sound, and a click plays from there."""
    player, picture = box.locator("audio"), box.locator("img")
    picture.scroll_into_view_if_needed()
    begin = box.evaluate(CURSOR)
    player.focus()
    page.keyboard.press("Space")  # not JupyterLab's
    wait(lambda: box.evaluate(CURSOR) > begin + 0.04, page)
    player.evaluate("sound => sound.pause()")

    # Stopped where it begins, or the line would run on while we look.
    player.evaluate("sound => { sound.onseeked = () => sound.pause() }")
    size = picture.bounding_box()
    for share in (0.7, 0.4):
        x, y = share * size["width"], size["height"] / 2
        picture.click(position={"x": x, "y": y})
        wait(lambda: player.evaluate("s => s.paused && s.played.length"), page)
        wait(lambda at=share: abs(box.evaluate(CURSOR) - at) < 0.02, page)
        at = player.evaluate("sound => sound.currentTime / sound.duration")
        assert at == pytest.approx((share - begin) / 0.73, abs=0.05)
        minutes, seconds = box.locator("output").inner_text().split()[0].split(":")
        middle = 60 * int(minutes) + int(seconds)
        assert middle == pytest.approx(player.evaluate("s => s.currentTime"), abs=2)


def test_a_taggram_lives_in_a_file(browser, tmp_path):
    """As on a web site: no kernel, no server."""
    path = corpus.DATA / "checkpoints/mini/DielemanMel.safetensors"
    model, made = checkpoints.load(path)
    song = corpus.open("mini").path(233)
    view = widgets.taggram(song, model, made["tags"], caption="Kept, CC0")
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8>{view.html}")
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    plays_and_seeks(page, page.locator("body > div"))
    page.close()


def test_lesson_00_from_top_to_bottom_in_an_own_copy(run, tmp_path):
    page = run("00_start_here")
    asks_and_reveals(page)
    plays_and_seeks(page, page.locator(".jp-OutputArea-output div:has(> audio)").nth(1))
    (ROOT / "build" / "browser").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ROOT / "build" / "browser" / "lesson.png")  # README's picture
    tags_uploads(page, tmp_path)
    choice = page.locator("details").filter(has_text="Right.").first  # of a quiz
    verdict = choice.get_by_text("Right.")
    assert not verdict.is_visible()
    choice.locator("summary").click()
    verdict.wait_for(timeout=1000 * HANG)


def asks_and_reveals(page):
    """A click answers, the answer is kept, and shown beside the truth."""
    asked = page.locator(".jp-OutputArea").filter(has_text="Your prediction").first
    said = asked.locator("[role=status]")
    assert said.count() == 0
    first, second = asked.get_by_role("button").all()[:2]
    first.click()
    said.wait_for(timeout=1000 * HANG)
    answer = said.locator("b").inner_text()
    second.focus()
    page.keyboard.press("Enter")  # not JupyterLab's
    wait(lambda: said.locator("b").inner_text() != answer, page)
    answer = said.locator("b").inner_text()
    page.evaluate(RUN, "widgets.predict(")
    wait(lambda: page.evaluate(STATE)["idle"], page)
    page.evaluate(RUN, ".reveal(")
    shown = page.locator(".jp-OutputArea [role=status]").filter(has_text="You said")
    shown.wait_for(timeout=1000 * HANG)
    assert shown.inner_text().startswith(f"You said {answer}. ")


def tags_uploads(page, folder):
    """A button takes songs, large ones and those that need another decoder."""

    def upload(path):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose a song").click()
        chooser.value.set_files(path)

    results = page.locator(".jupyter-widgets div:has(> audio)").filter(has_text="mine")
    song = audio.load(corpus.open("mini").path(233), 44_100)
    audio.write(folder / "mine.wav", np.stack([song] * 6, axis=1), 44_100)
    assert (folder / "mine.wav").stat().st_size > 15e6  # more than a plain server takes
    stereo = np.stack([song, song])
    (folder / "mine.m4a").write_bytes(by_pyav("ipod", "aac", stereo, 44_100))
    for name in ("mine.m4a", "mine.wav"):
        upload(folder / name)
        results.get_by_text(name).wait_for(timeout=1000 * HANG)
    plays_and_seeks(page, results)
    (folder / "no.mp3").write_text("words")
    upload(folder / "no.mp3")
    refused = page.locator(".jupyter-widgets [role=status]").get_by_text("no.mp3")
    wait(lambda: "is not audio" in "".join(refused.all_inner_texts()), page)
    assert results.count() == 0

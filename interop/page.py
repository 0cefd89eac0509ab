#!/usr/bin/env python3
"""The sandbox's web page in Chromium: wide and narrow, light and dark, with JavaScript and without, by keyboard.

    interop/page.py SIPCALL [--screenshots DIR]      one check, with a picture of every page
"""

import argparse
import json
import os
import shutil
import sys
from urllib.parse import urlsplit

from lab import Lab, equal, program, require, wait_until

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"]
SIZES = [(1280, 900), (390, 844)]
SCHEMES = ["light", "dark"]
HOSTILE = "<img src=x onerror=document.title='taken'>"
ANSWER = """<Response><Speak>Please say something.</Speak><Record maxLength="2" timeout="5" playBeep="false"/></Response>"""
PHLO = """name = "Custom headers"
[start]
params = ["from", "to"]
api_request = "Initiate_Call_1"
[nodes.Initiate_Call_1]
type = "initiate_call"
from = "{{Start.http.params.from}}"
to = "{{Start.http.params.to}}"
answered = "Play_Audio_1"
busy = "Play_Audio_2"
[nodes.Play_Audio_1]
type = "play_audio"
speak = "Congratulations!"
completed = "Play_Audio_2"
[nodes.Play_Audio_2]
type = "play_audio"
speak = "Good bye."
"""
# Of every text that is seen: the contrast with what is behind it; those below 4.5 and what they say.
PALE = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const note = at.closest?.("g.note, g.node")?.querySelector("rect");
      const colour = parse(note ? getComputedStyle(note).fill : getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim(), element = walk.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest("title, desc, .unseen")) continue;
    const style = getComputedStyle(element);
    const front = light(parse(element instanceof SVGElement ? style.fill : style.color)), back = light(behind(element));
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) pale.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return pale;
}"""


class Browser:
    """A Chromium, and everything that its pages complained about."""

    def __init__(self, playwright, base):
        self.base, self.complaints = base, []
        self.chromium = playwright.chromium.launch(executable_path=shutil.which(program("chromium")), args=FLAGS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.chromium.close()

    def page(self, size=SIZES[0], scheme="light", scripts=True):
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts)
        page = context.new_page()
        complain = self.complaints.append
        page.on("console", lambda told: told.type in ("error", "warning") and complain(f"console: {told.text}"))
        page.on("pageerror", lambda error: complain(f"script: {error}"))
        page.on("dialog", lambda dialog: (complain(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda asked: asked.url.startswith(self.base) or complain(f"asked elsewhere: {asked.url}"))
        return page


def judged(page, what):
    """A page as everybody has to be able to use it."""
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    require(wide[0] <= wide[1], f"{what}: {wide[0]} pixels wide in {wide[1]}")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    named = {"link", "button", "textbox", "region", "image", "img", "Audio", "checkbox", "heading", "table"}
    for node in tree:
        role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value", "")
        require(node.get("ignored") or role not in named or name.strip(), f"{what}: a {role} without a name")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))")
    equal(f"{what}: main headings", levels.count(1), 1)
    for before, after in zip(levels, levels[1:]):
        require(after <= before + 1, f"{what}: a heading of level {after} below one of {before}")
    equal(f"{what}: texts that are hard to read", page.evaluate(PALE), [])
    # What a peer wrote has become nothing else.
    equal(f"{what}: images of a peer", page.locator("img[src='x']").count(), 0)
    require("taken" not in page.title(), f"{what}: a script of a peer ran")


def by_keyboard(page, what):
    """Everything that can be used is reached by Tab, and is seen to have the focus."""
    wanted = page.evaluate("document.querySelectorAll('a, button, input, textarea, summary, audio, .scroll').length")
    reached = set()
    page.evaluate("document.activeElement?.blur()")
    for step in range(3 * wanted + 10):
        page.keyboard.press("Tab")
        outline = page.evaluate("""() => {
          const at = document.activeElement, style = getComputedStyle(at);
          if (at === document.body) return null;
          at.dataset.reached = "";
          return [at.outerHTML.slice(0, 60), style.outlineStyle, style.outlineWidth];
        }""")
        if outline is None:
            if step == 0:
                continue
            break
        if step == 0:
            require("skip" in outline[0], f"{what}: the first stop is {outline[0]}")
        # The controls of a sound are the browser's, each with a ring of its own.
        require(outline[0].startswith("<audio") or outline[1] != "none" and outline[2] != "0px", f"{what}: the focus is not seen on {outline[0]}")
        reached.add(outline[0])
    missed = page.evaluate("""[...document.querySelectorAll('a, button, input, textarea, summary, audio, .scroll')]
      .filter((one) => one.checkVisibility() && !("reached" in one.dataset)).map((one) => one.outerHTML.slice(0, 80))""")
    equal(f"{what}: not reached by keyboard", missed, [])


def ready(lab, running):
    path = lab.path("ready.json")
    wait_until("the sandbox", lambda: os.path.exists(path) and os.path.getsize(path), running.process)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def placed(browser):
    """Places a call by the form, and watches its page until it is over without loading it again."""
    page = browser.page()
    page.goto(browser.base)
    page.fill("#to", "sip:bob@phone.plivo.com")
    page.fill("#headers", "Test=Sample,Bad-Name=1")
    page.fill("#xml", "<Response><Speak>One</Speak><Wait length='1'/><Speak>Two</Speak><Hangup/></Response>")
    page.click("button")
    page.evaluate("window.loadedOnce = true")
    page.locator("#summary .state.good").wait_for(timeout=30_000)
    page.locator("#ladder svg text", has_text="200 OK (BYE)").first.wait_for(timeout=10_000)
    require(page.evaluate("window.loadedOnce"), "the page was loaded again")
    equal("executed steps", page.locator("#xml .steps .done").count(), 4)
    require("name-characters" in page.inner_text("#headers"), "the dropped header is not told")
    equal("lanes", page.locator("#ladder .party").all_text_contents(), ["application", "core", "edge", "callee"])
    return urlsplit(page.url).path


def placed_without_scripts(browser):
    page = browser.page(scripts=False)
    page.goto(browser.base)
    page.click("button")
    require("/calls/" in page.url, f"the form leads to {page.url}")
    require(page.locator("h1", has_text="Call from").is_visible(), "the page of the call is not shown")
    page.goto(browser.base)
    page.fill("#xml", "<Response>")
    page.click("button")
    require("cannot be used" in page.inner_text("[role=alert]"), "what is wrong with the XML is not said")
    # That a form was refused is a status of its page, of which Chromium tells.
    browser.complaints.remove("console: Failed to load resource: the server responded with a status of 400 (Bad Request)")
    equal("what was written", page.input_value("#xml"), "<Response>")


def hostile_call(lab, browser, http):
    """An endpoint calls whose name is markup."""
    call = lab.run(
        "invite", "sip:anybody@phone.plivo.com", f"--sandbox={http}", "--user", "alice", "--display-name", HOSTILE, "-H",
        f"Subject: {HOSTILE}", "-H", "Test=Sample", "--no-store", "--output", "json", "--talk", "20s", "--tone", "440", within=40).json()
    path = f"/calls/{call['plivo']['call_uuid']}"
    page = browser.page()
    page.goto(browser.base + path)
    page.locator("#recordings audio").first.wait_for(timeout=10_000)
    sound = page.locator("#recordings audio").first
    seconds = sound.evaluate("""(audio) => new Promise((done, failed) => {
      Object.assign(audio, { onloadedmetadata: () => done(audio.duration), onerror: failed, preload: "metadata" });
      audio.load();
    })""")
    require(seconds > 0.5, f"the recording is {seconds} s long")
    require("img src=x" in page.content(), "the name of the caller is not shown")
    return path


def watched(lab, screenshots=None):
    from playwright.sync_api import sync_playwright

    for name, text in (("answer.xml", ANSWER), ("headers.toml", PHLO)):
        with open(lab.path(name), "w", encoding="utf-8") as file:
            file.write(text)
    sandbox = [
        "sandbox", "--sip", "127.0.0.1:0", "--http", "127.0.0.1:0", "--endpoint", "alice:secret", "--callee", "bob",
        "--answer-xml", lab.path("answer.xml"), "--phlo", lab.path("headers.toml"), "--ready-file", lab.path("ready.json")]
    with lab.start(*sandbox) as running, sync_playwright() as playwright:
        http = ready(lab, running)["http"]
        with Browser(playwright, f"http://{http}") as browser:
            pages = {"index": "/", "call": placed(browser), "hostile": hostile_call(lab, browser, http)}
            placed_without_scripts(browser)
            index = browser.page()
            index.goto(browser.base)
            pages["phlo"] = index.get_attribute("a[href^='/phlo/']", "href")
            for size in SIZES:
                for scheme in SCHEMES:
                    for name, path in pages.items():
                        what = f"{name}, {size[0]} pixels, {scheme}"
                        page = browser.page(size, scheme)
                        page.goto(browser.base + path)
                        page.wait_for_load_state("load")
                        if screenshots:
                            page.screenshot(path=os.path.join(screenshots, f"{name}-{size[0]}-{scheme}.png"), full_page=True)
                        judged(page, what)
                        # What is closed is looked at too.
                        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                        judged(page, f"{what}, opened")
                        page.context.close()
                    # Nothing is put in the place of what has had the focus while nobody refreshes the page.
                    page = browser.page(size, scheme, scripts=False)
                    for name, path in pages.items() if scheme == "light" else ():
                        page.goto(browser.base + path)
                        by_keyboard(page, f"{name}, {size[0]} pixels")
                    page.context.close()
            equal("complaints", browser.complaints, [])


def the_page_in_chromium(lab):
    watched(lab)


the_page_in_chromium.seconds = 60
CHECKS = [the_page_in_chromium]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sipcall")
    parser.add_argument("--screenshots", metavar="DIR", help="a folder for a picture of every page")
    given = parser.parse_args()
    if given.screenshots:
        os.makedirs(given.screenshots, exist_ok=True)
    with Lab(given.sipcall) as bench:
        watched(bench, given.screenshots)
    sys.exit(0)

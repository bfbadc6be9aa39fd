# shim_report.py - the report's page, looked at in a real browser: phone and desktop, light and dark.
#
# SPDX-License-Identifier: Apache-2.0
#
# KAIZEN_TEST_SCREENSHOTS names a folder that keeps the pictures.
import html
import html.parser
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

from shim_support import HostTest, others_environment

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
           "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"]
LIGHT, DARK = 1, 0
LONG = "assertion failed: expected 41 got 42 in an explanation that goes on and on"
HOSTILE = '<script>document.title="x"</script><img src=x onerror=alert(1)>'

# Measures the page in frames of some widths; a frame of the same origin, since the page is put in as text.
MEASURE = """<!DOCTYPE html><meta charset="utf-8"><body><script type="application/json" id="page">PAGE</script><script>
const page = JSON.parse(document.getElementById("page").textContent);
const widths = [320, 390, 1280], found = [];
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 800; frame.style.border = 0; frame.srcdoc = page;
  frame.onload = () => {
    const root = frame.contentDocument.documentElement, small = [], outside = [];
    for (const element of root.querySelectorAll("body *")) {
      const style = frame.contentWindow.getComputedStyle(element), box = element.getBoundingClientRect();
      const text = [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());
      if (text && parseFloat(style.fontSize) < 12) small.push(element.textContent);
      if (text && (box.left < -0.5 || box.right > width + 0.5)) outside.push(element.textContent);
    }
    found.push({width, scrolls: root.scrollWidth > width, small, outside, title: frame.contentDocument.title,
                loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
                charts: [...root.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect().height)});
    if (found.length == widths.length) {
      const result = document.createElement("pre");
      result.textContent = JSON.stringify(found);
      document.body.replaceChildren(result);
    }
  };
  document.body.append(frame);
}
</script>"""


def records():
    chance = random.Random(7)
    for agent, count in (("coach", 120), ("nightly-deploy_to.production-eu-west-1-and-further", 9), ("solo", 1)):
        for i in range(count):
            failed = chance.random() < 0.25
            record = {"timestamp": f"2026-11-{1 + i * 20 // count:02}T{i % 24:02}:00:00Z", "agent": agent,
                      "session_id": "s" * 70 if i % 7 == 0 else f"s-{i}", "success": not failed,
                      "execution_time_s": round(chance.lognormvariate(4, 1.3), 2)}
            if agent != "solo":
                record["quality_score"] = round(chance.uniform(0.2, 0.5) if failed else chance.uniform(0.7, 1), 2)
            if failed:
                record["metadata"] = {"error_type": chance.choice(["timeout", LONG, HOSTILE])}
            yield json.dumps(record) + "\n"


def read_png(path):
    """Width, height, and the rows of a picture with 8 bits of red, green and blue."""
    data, at, chunks = path.read_bytes(), 8, {}
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        chunks.setdefault(name, []).append(data[at + 8:at + 8 + size])
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][0][:10])
    step = {2: 3, 6: 4}[colour]
    assert depth == 8
    raw, before, rows = zlib.decompress(b"".join(chunks[b"IDAT"])), bytearray(width * step), []
    for y in range(height):
        start = y * (width * step + 1)
        kind, row = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
        for x in range(len(row) if kind else 0):
            left = row[x - step] if x >= step else 0
            up, corner = before[x], before[x - step] if x >= step else 0
            if kind == 4:
                guess = left + up - corner
                near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            else:
                near = (0, left, up, (left + up) // 2)[kind]
            row[x] = (row[x] + near) & 255
        rows.append(row)
        before = row
    return width, height, [[tuple(row[x:x + 3]) for x in range(0, len(row), step)] for row in rows]


class Report(HostTest):
    def setUp(self):
        super().setUp()
        self.expect(4, "replay", stdin="".join(records()) + "no record\n")
        self.expect(0, "record", "coach", "--success", "--emit-event")
        with self.log("solo").open("a") as log:
            log.write(json.dumps({"timestamp": "<b>x</b>", "agent": "solo", "success": False}) + "\n")
        self.page = self.scratch / "report.html"
        self.expect(0, "report", "--html", self.page)

    def browse(self, *arguments):
        if not BROWSER:
            self.skipTest("chromium is not installed")
        with tempfile.TemporaryDirectory() as profile:
            return subprocess.run([BROWSER, *OPTIONS, f"--user-data-dir={profile}", *arguments], check=True, timeout=120,
                                  env=others_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def look(self, name, width, height, scheme):
        folder = pathlib.Path(os.environ.get("KAIZEN_TEST_SCREENSHOTS") or self.scratch)
        picture = folder / f"report-{name}.png"
        self.browse(f"--window-size={width},{height}", f"--blink-settings=preferredColorScheme={scheme}",
                    f"--screenshot={picture}", self.page.as_uri())
        return read_png(picture)

    def test_every_width_shows_the_whole_page_in_readable_letters_and_loads_nothing(self):
        wrapper = self.scratch / "measure.html"
        wrapper.write_text(MEASURE.replace("PAGE", json.dumps(self.page.read_text()).replace("<", "\\u003c")))
        dump = self.browse("--virtual-time-budget=20000", "--window-size=1400,900", "--dump-dom", wrapper.as_uri())
        found = json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", dump, re.S).group(1)))
        self.assertEqual(sorted(frame["width"] for frame in found), [320, 390, 1280])
        for frame in found:
            with self.subTest(f"{frame['width']} wide"):
                self.assertFalse(frame["scrolls"])
                self.assertEqual((frame["small"], frame["outside"], frame["loaded"]), ([], [], 0))
                self.assertEqual(frame["title"], "Executions of shop")
                self.assertEqual(len(frame["charts"]), 5)  # the one duration of the last agent is no distribution
                self.assertTrue(all(height > 100 for height in frame["charts"]), frame["charts"])

    def test_both_colour_schemes_are_drawn_on_phone_and_desktop(self):
        colours = {LIGHT: ("ffffff", "1a7f4b", "2b62c4", "c23b31"), DARK: ("14181f", "4cc38a", "7aa7f5", "f0776c")}
        for name, width, height in (("phone", 390, 1100), ("desktop", 1280, 900)):
            for scheme in (LIGHT, DARK):
                with self.subTest(f"{name}, {'dark' if scheme == DARK else 'light'}"):
                    shown_width, _, rows = self.look(f"{name}-{'dark' if scheme == DARK else 'light'}", width, height, scheme)
                    self.assertEqual(shown_width, width)
                    paper, *marks = [tuple(bytes.fromhex(colour)) for colour in colours[scheme]]
                    for corner in (rows[0][0], rows[0][-1], rows[-1][0], rows[-1][-1]):
                        self.assertEqual(corner, paper)
                    drawn = {pixel for row in rows for pixel in row}
                    self.assertEqual([mark for mark in marks if mark not in drawn], [])

    def test_on_paper_it_is_dark_on_white_whatever_the_screen_is(self):
        paper = self.scratch / "report.pdf"
        self.browse(f"--blink-settings=preferredColorScheme={DARK}", "--no-pdf-header-footer", f"--print-to-pdf={paper}",
                    self.page.as_uri())
        fills = set()
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", paper.read_bytes(), re.S):
            try:
                fills.update(re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", zlib.decompress(stream)))
            except zlib.error:
                pass  # a picture or a font
        colours = {bytes(round(255 * float(share)) for share in fill).hex() for fill in fills}
        self.assertLessEqual({"1c2330", "2b62c4"}, colours)
        self.assertEqual(colours & {"e6e9ef", "14181f", "7aa7f5"}, set())

    def test_the_page_is_sound_html_with_nothing_of_the_log_taken_as_markup(self):
        text = self.page.read_text()
        self.assertTrue(text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"))
        self.assertIn("default-src 'none'", text)
        self.assertEqual(re.findall(r"https?:|//[a-z]|<script|<img|<link|<b>x|url\(|@import", text), [])
        self.assertIn("&lt;script&gt;", text)
        inside = {"tr": {"thead", "tbody"}, "td": {"tr"}, "th": {"tr"}, "thead": {"table"}, "tbody": {"table"}, "path": {"svg"},
                  "svg": {"div"}, "figcaption": {"figure"}, "title": {"head"}, "style": {"head"}, "main": {"body"}, "section": {"main"}}
        open_tags, problems = [], []

        class Structure(html.parser.HTMLParser):
            def handle_starttag(self, tag, attributes):
                if tag in inside and open_tags[-1] not in inside[tag]:
                    problems.append(f"<{tag}> in <{open_tags[-1]}>")
                names = [name for name, _ in attributes]
                if len(set(names)) != len(names) or any(name.startswith("on") or name in ("id", "src", "href") for name in names):
                    problems.append(f"<{tag}> has the attributes {names}")
                if tag != "meta":
                    open_tags.append(tag)

            def handle_endtag(self, tag):
                if open_tags.pop() != tag:
                    problems.append(f"</{tag}>")

        Structure().feed(text)
        self.assertEqual((open_tags, problems), ([], []))

    def test_all_agents_stand_in_one_table_before_the_first(self):
        overview = self.page.read_text().split("<section>")[0]
        self.assertEqual(re.findall(r"<tr><td>([a-z0-9_.-]+)</td><td class=\"count\">(\d+)</td>", overview),
                         [("coach", "121"), ("nightly-deploy_to.production-eu-west-1-and-further", "9"), ("solo", "2")])

    def test_a_project_without_records_says_so(self):
        empty = self.scratch / "empty"
        empty.mkdir()
        self.assertIn("Nothing is recorded here yet", self.expect(0, "-C", empty, "report", "--html", "-"))

    def test_a_long_history_says_what_is_drawn_and_over_how_many_it_is_the_mean(self):
        text = "".join(json.dumps({"timestamp": "2026-11-20T00:00:00Z", "agent": "many", "success": i % 2 == 0}) + "\n"
                       for i in range(6000))
        self.expect(0, "replay", stdin=text)
        section = self.expect(0, "report", "--html", "-").split("<h2>many</h2>")[1].split("</section>")[0]
        self.assertIn("last 5000 executions", section)
        self.assertIn("both over the last 17<", section)
        line = re.search(r'class="line success" d="M([^"]*)"', section).group(1).split()
        # Every other one failed: a mean over all in between, and not a sample of ten, is level.
        self.assertTrue(all(45 < float(y) < 55 for y in line[1::2]), line)

    def test_what_is_pending_is_shown_for_its_agent(self):
        sections = self.page.read_text().split("<section>")[1:]
        self.assertEqual(["events pending" in section for section in sections], [True, False, False])


if __name__ == "__main__":
    unittest.main()

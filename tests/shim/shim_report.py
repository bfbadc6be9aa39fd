# shim_report.py - the report's page: what stands in it, and the same looked at in a real browser at several widths.
#
# SPDX-License-Identifier: Apache-2.0
import datetime
import html
import html.parser
import json
import os
import random
import re
import shutil
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
HOSTILE = '</script><script>document.title="x"</script><img src=x onerror=alert(1)>'
LONG_NAME = "nightly-deploy_to.production-eu-west-1-and-further"
WIDTHS = [320, 390, 820, 1440]
PAGE_BYTES_MAX = 1000000

# Opens the page in frames of some widths (of the same origin, since it is put in as text) and notes what it looks like
# there; then searches, and sorts by "success" and back.
MEASURE = """<!DOCTYPE html><meta charset="utf-8"><body><script type="application/json" id="page">PAGE</script><script>
const page = JSON.parse(document.getElementById("page").textContent);
const widths = WIDTHS, found = [];
const names = (root) => [...root.querySelectorAll(".agents tbody tr")].map(row => row.cells[0].textContent);
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
    const colour = (selector, name) => frame.contentWindow.getComputedStyle(root.querySelector(selector))[name];
    const seen = {width, scrolls: root.scrollWidth > width, small, outside, title: frame.contentDocument.title,
                  loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
                  charts: [...root.querySelectorAll("svg")].map(svg => svg.getBoundingClientRect().height),
                  paper: colour("body", "backgroundColor"), ink: colour("body", "color"), failure: colour("path.failure", "fill"),
                  first: names(root)};
    const input = root.querySelector(".find input");
    if (input) {
      input.value = "FIND"; input.dispatchEvent(new Event("input"));
      seen.found = names(root); seen.status = root.querySelector(".find span").textContent;
      input.value = ""; input.dispatchEvent(new Event("input"));
      const head = [...root.querySelectorAll(".agents th")].find(head => head.textContent == "success");
      head.querySelector("button").click();
      seen.rising = names(root); seen.order = head.getAttribute("aria-sort");
      head.querySelector("button").click();
      seen.falling = names(root);
      seen.by = {};
      for (const button of root.querySelectorAll(".agents th button")) {
        button.click();
        seen.by[button.textContent] = names(root);
      }
    }
    found.push(seen);
    if (found.length == widths.length) {
      const result = document.createElement("pre");
      result.textContent = JSON.stringify(found);
      document.body.replaceChildren(result);
    }
  };
  document.body.append(frame);
}
</script>"""


def ago(hours):
    ended = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return ended.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(agent, timestamp, success=True, **more):
    return json.dumps({"timestamp": timestamp, "agent": agent, "success": success, **more}) + "\n"


def records():
    chance = random.Random(7)
    for agent, count in (("coach", 120), (LONG_NAME, 9), ("solo", 1), ("fixer", 60)):
        for i in range(count):
            failed = i >= 45 if agent == "fixer" else chance.random() < 0.25
            metadata = {"model": "small" if failed else "large", "cost_usd": 0.25}
            more = {"session_id": "s" * 70 if i % 7 == 0 else f"s-{i}", "execution_time_s": round(chance.lognormvariate(4, 1.3), 2)}
            if agent != "solo":
                more["quality_score"] = round(chance.uniform(0.2, 0.5) if failed else chance.uniform(0.7, 1), 2)
            if failed:
                metadata["error_type"] = chance.choice(["timeout", LONG, HOSTILE])
            yield record(agent, ago(170 - i * 165 / count), not failed, metadata=metadata, **more)


class Structure(html.parser.HTMLParser):
    """Elements that are not closed, stand where they may not, or have attributes that they should not; all ids and links."""
    INSIDE = {"tr": {"thead", "tbody"}, "td": {"tr"}, "th": {"tr"}, "thead": {"table"}, "tbody": {"table"}, "path": {"svg"},
              "svg": {"div"}, "figcaption": {"figure"}, "title": {"head"}, "main": {"body"}, "section": {"main"}, "li": {"ul"}}

    def __init__(self, text):
        super().__init__()
        self.open, self.problems, self.ids, self.links, self.elements = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in self.INSIDE and self.open[-1] not in self.INSIDE[tag]:
            self.problems.append(f"<{tag}> in <{self.open[-1]}>")
        if len(values) != len(attributes) or any(name.startswith("on") or name == "src" for name in values):
            self.problems.append(f"<{tag}> has the attributes {attributes}")
        self.elements.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.problems.append(f"</{tag}>")


class ReportTest(HostTest):
    def page_of(self, *arguments):
        return self.expect(0, "report", "--html", "-", *arguments)

    def replay(self, *lines):
        self.expect(0, "replay", "-q", stdin="".join(lines))

    def section(self, page, agent):
        return page.split(f'<section id="agent-{agent}">')[1].split("</section>")[0]

    def browse(self, *arguments):
        if not BROWSER:
            self.skipTest("chromium is not installed")
        with tempfile.TemporaryDirectory() as profile:
            return subprocess.run([BROWSER, *OPTIONS, f"--user-data-dir={profile}", *arguments], check=True, timeout=120,
                                  env=others_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def measure(self, page, find, scheme=LIGHT, widths=WIDTHS):
        wrapper = self.scratch / "measure.html"
        wrapper.write_text(MEASURE.replace("PAGE", json.dumps(page).replace("<", "\\u003c")).replace("FIND", find)
                           .replace("WIDTHS", str(widths)))
        dump = self.browse("--virtual-time-budget=20000", "--window-size=1500,900", f"--blink-settings=preferredColorScheme={scheme}",
                           "--dump-dom", wrapper.as_uri())
        return json.loads(html.unescape(re.search(r"<pre>(.*?)</pre>", dump, re.S).group(1)))


class Order(ReportTest):
    def test_where_scripts_run_every_change_and_number_is_put_in_the_order_of_list(self):
        values = {  # of the runs before and after: what of 20 succeeded, quality, duration, cost
            "worse": ((20, 0.5, 4), (5, 0.5, 4), 1e-7), "poorer": ((20, 0.9, 5), (20, 0.3, 5), 2e-6),
            "slower": ((20, 0.5, 10), (20, 0.5, 20), 1e-5), "dearer": ((20, 0.5, 6, 1), (20, 0.5, 6, 2), None),
            "cheaper": ((20, 0.5, 7, 4), (20, 0.5, 7, 2), None), "faster": ((20, 0.5, 400), (20, 0.5, 100), 1e300),
            "higher": ((20, 0.3, 1e300), (20, 0.9, 1e300), -0.5), "better": ((5, 0.5, 0.001), (20, 0.5, 0.001), 0.2),
            "same": ((20, 0.5, 0.0001), (20, 0.5, 0.0001), 30)}
        for agent, (before, after, cost) in values.items():
            self.log(agent).parent.mkdir(parents=True)
            self.log(agent).write_text("".join(
                record(agent, ago(81 - i), i % 20 < side[0], quality_score=side[1], execution_time_s=side[2],
                       metadata={"cost_usd": side[3] if cost is None else cost})
                for i in range(80) for side in ((before, after)[i >= 40],)))
        for heading, orders in self.measure(self.page_of(), "x", widths=[820])[0]["by"].items():
            if heading in ("change", "cost", "p50"):
                self.assertEqual(orders, self.expect(0, "list", "--sort", heading, "--columns", "agent").split()[1:], heading)


class Report(ReportTest):
    seen = None  # by the first test that asks: a browser takes seconds to start

    def setUp(self):
        super().setUp()
        self.expect(4, "replay", stdin="".join(records()) + "no record\n")
        self.expect(0, "record", "coach", "--success", "--emit-event")
        with self.log("solo").open("a") as log:
            log.write(json.dumps({"timestamp": "<b>x</b>", "agent": "solo", "success": False}) + "\n")
        self.page = self.page_of()

    def in_daylight(self):
        Report.seen = Report.seen or self.measure(self.page, "NIGHT")
        return Report.seen

    def test_every_width_shows_the_whole_page_in_readable_letters_and_loads_nothing(self):
        found = self.in_daylight()
        self.assertEqual(sorted(frame["width"] for frame in found), WIDTHS)
        for frame in found:
            with self.subTest(f"{frame['width']} wide"):
                self.assertFalse(frame["scrolls"])
                self.assertEqual((frame["small"], frame["outside"], frame["loaded"]), ([], [], 0))
                self.assertEqual(frame["title"], "Runs of shop")
                self.assertEqual(len(frame["charts"]), self.page.count("<svg"))
                self.assertTrue(all(height > 25 for height in frame["charts"]), frame["charts"])

    def test_where_scripts_run_the_agents_are_found_and_put_in_order(self):
        frame = next(frame for frame in self.in_daylight() if frame["width"] == 820)
        self.assertEqual(frame["first"][0], "fixer")
        self.assertEqual((frame["found"], frame["status"]), ([LONG_NAME], "1 agent"))
        by_success = self.expect(0, "list", "--sort", "success", "--columns", "agent").split()[1:]
        self.assertEqual((frame["rising"], frame["order"]), (by_success, "ascending"))
        self.assertEqual(sorted(frame["falling"]), sorted(by_success))
        self.assertEqual(frame["falling"][-1], by_success[0])
        by_change = self.expect(0, "list", "--sort", "change", "--columns", "agent").split()[1:]
        self.assertEqual((frame["by"]["change"][0], frame["by"]["change"][-1]), (by_change[0], by_change[-1]))

    def test_each_colour_scheme_has_its_own_paper_and_ink(self):
        light, dark = self.in_daylight()[0], self.measure(self.page, "x", DARK, [390])[0]
        for frame, colours in ((light, ("rgb(255, 255, 255)", "rgb(28, 35, 48)", "rgb(217, 86, 75)")),
                               (dark, ("rgb(20, 24, 31)", "rgb(230, 233, 239)", "rgb(224, 102, 91)"))):
            self.assertEqual((frame["paper"], frame["ink"], frame["failure"]), colours)

    def test_on_paper_it_is_dark_on_white_whatever_the_screen_is(self):
        page, paper, fills = self.scratch / "report.html", self.scratch / "report.pdf", set()
        page.write_text(self.page)
        self.browse(f"--blink-settings=preferredColorScheme={DARK}", "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", paper.read_bytes(), re.S):
            try:
                fills.update(re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", zlib.decompress(stream)))
            except zlib.error:
                pass  # a picture or a font
        colours = {bytes(round(255 * float(share)) for share in fill).hex() for fill in fills}
        self.assertLessEqual({"1c2330", "d9564b"}, colours)
        self.assertEqual(colours & {"e6e9ef", "14181f", "e0665b"}, set())

    def test_the_page_is_sound_html_with_nothing_of_the_log_taken_as_markup(self):
        self.assertTrue(self.page.startswith("<!DOCTYPE html>\n<html lang=\"en\">"))
        self.assertRegex(self.page, r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[A-Za-z0-9+/]{43}='")
        self.assertEqual(re.findall(r"https?:|//[a-z]|<img|<link|<b>x|url\(|@import|<script>document", self.page), [])
        self.assertIn("&lt;script&gt;", self.page)
        found = Structure(self.page)
        self.assertEqual((found.open, found.problems, found.elements.count("script")), ([], [], 1))
        self.assertEqual(len(set(found.ids)), len(found.ids))
        self.assertEqual({link[1:] for link in found.links if link.startswith("#")} - set(found.ids), set())
        self.assertEqual([link for link in found.links if not link.startswith("#")], [])

    def test_what_changed_comes_first_and_leads_to_its_section(self):
        told = re.search(r"(worse since .*)\n", self.expect(0, "show", "fixer")).group(1)
        self.assertIn(f'<li class="bad"><a href="#agent-fixer">fixer</a> {told}</li>', self.page)
        self.assertLess(self.page.index('<ul class="changes">'), self.page.index('<div class="tiles">'))
        self.assertIn(f'<p class="warn">success {told}</p>', self.section(self.page, "fixer"))
        order = re.findall(r'<section id="agent-([^"]*)"', self.page)
        self.assertEqual(order[0], "fixer")
        self.assertEqual(re.findall(r'<tr><td><a href="#agent-([^"]*)"', self.page), order)

    def test_the_project_as_a_whole_is_told_in_tiles(self):
        page = self.scratch / "report.html"
        document = json.loads(self.expect(0, "report", "--html", page, "-o", "json"))  # of the same moment
        tiles = dict(re.findall(r'<div class="tile"><span>(.*?)</span><b>(.*?)</b>', page.read_text().split("<h2")[0]))
        figures = document["figures"]
        self.assertEqual(figures["count"], sum(agent["figures"]["count"] for agent in document["agents"]))
        self.assertEqual(tiles["success"], f"{100 * figures['success_rate']:.1f}%")
        self.assertEqual(tiles["cost"], f"${figures['cost_usd']['total']:.2f}")
        self.assertEqual((tiles["agents"], tiles["events"]), ("4", "1"))
        day = document["last_24_hours"]
        self.assertEqual(tiles["last 24 hours"], f"{100 * day['recent']['success_rate']:.1f}%")
        self.assertEqual(day["recent"]["count"] + day["before"]["count"], figures["count"])

    def test_models_and_reasons_stand_beside_each_other(self):
        section = self.section(self.page, "fixer")
        self.assertIn("<td>large</td><td>45</td><td>100.0%</td><td>$11.25</td><td>$0.25</td>", section)
        self.assertIn("<td>small</td><td>15</td><td>0.0%</td><td>$3.75</td><td>$0.25</td>", section)
        reasons = re.search(r"failures by reason(.*?)</table>", section, re.S).group(1)
        self.assertEqual(sum(map(int, re.findall(r"</td><td>(\d+)</td>", reasons))), 15)
        self.assertEqual(len(re.findall(r"<tr><td><time", section.split('class="failures"')[1])), 10)


class Charts(ReportTest):
    def columns(self, section, kind):
        """{column: from which height to which} of the picture of outcomes, and how many columns there are."""
        picture = re.search(r'<div class="plot outcomes".*?</svg>', section, re.S).group(0)
        path = re.search(rf'<path class="{kind}" d="([^"]*)"', picture)
        width = int(re.search(r'viewBox="0 0 (\d+) 100"', picture).group(1))
        found = re.findall(r"M(\d+) (\d+)V([\d.]+)h", path.group(1)) if path else []
        return {int(at): (float(start), float(end)) for at, start, end in found}, width

    def test_a_bad_hour_is_an_hour_wide_and_a_gap_is_a_gap(self):
        begin = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(days=6)
        lines = []
        for hour in range(140):
            if 60 <= hour < 72:
                continue  # nobody worked
            for minute in range(0, 60, 10):
                ended = (begin + datetime.timedelta(hours=hour, minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
                lines.append(record("coach", ended, hour != 30 and (hour != 31 or minute > 20)))
        self.replay(*lines)
        section = self.section(self.page_of(), "coach")
        self.assertIn("One column per hour", section)
        failed, width = self.columns(section, "failure")
        succeeded, _ = self.columns(section, "success")
        self.assertEqual((failed, width), ({30: (0, 100), 31: (0, 50)}, 140))
        self.assertEqual(set(succeeded), set(range(140)) - {30} - set(range(60, 72)))
        self.assertEqual(succeeded[31], (100, 50))
        self.assertTrue(all(height == (100, 0) for at, height in succeeded.items() if at != 31))

    def test_a_day_of_failures_in_half_a_year_is_a_day_wide(self):
        self.replay(*(record("coach", ago(hours), not 1000 <= hours < 1024) for hours in range(4000, 0, -4)))
        failed, width = self.columns(self.section(self.page_of(), "coach"), "failure")
        self.assertTrue(160 <= width <= 182 and 1 <= len(failed) <= 2, (failed, width))
        self.assertAlmostEqual(max(failed), width - 1000 / 24, delta=2)

    def strip(self, part, kind):
        """{column: height}, the label of the largest, and what is shown; None where there is no such strip."""
        found = re.search(rf'<path class="{kind}" d="([^"]*)"/>\n<path class="grid"[^>]*/></svg>'
                          r'<span class="y" style="top:0">([^<]*)</span><span class="what">([^<]*)</span></div>', part)
        return found and ({int(at): float(height) for at, height in re.findall(r"M(\d+) 100v-([\d.]+)h", found.group(1))},
                          found.group(2), found.group(3))

    def test_the_median_time_of_each_column_is_drawn_where_it_is_known(self):
        begin = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(days=5)
        # by hour: the durations of its runs, None where a run does not say; no run in the hours that are not here
        hours = {0: [900, 1, 40], 1: [20, None, None, 20], 2: [None, None], 4: [80, 80], 5: [0, 0, 0], 100: [8]}
        self.replay(*(record(agent, (begin + datetime.timedelta(hours=hour, minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                             **({} if seconds is None else {"execution_time_s": seconds}))
                      for agent in ("coach", "twin") for hour, known in hours.items() for i, seconds in enumerate(known)))
        self.replay(*(record("silent", ago(90 - i)) for i in range(60)))
        page = self.page_of()
        drawn = ({0: 50.0, 1: 25.0, 4: 100.0, 5: 5.0, 100: 10.0}, "80 s", "median time")
        self.assertEqual(self.strip(self.section(page, "coach"), "duration"), drawn)
        self.assertEqual(self.strip(page.split("<h2")[0], "duration"), drawn, "the picture of all agents")
        self.assertIsNone(self.strip(self.section(page, "silent"), "duration"))
        self.assertEqual(self.strip(self.section(page, "silent"), "runs")[1:], ("1", "runs"))
        self.assertNotIn("median time", self.section(page, "silent"))

    def test_the_legend_names_only_what_is_drawn(self):
        self.replay(*(record("plain", ago(40 - i)) for i in range(30)))
        self.replay(*(record("failing", ago(40 - i), i % 9 > 0) for i in range(30)))
        self.replay(*(record("scored", ago(40 - i), quality_score=0.5) for i in range(30)))
        self.replay(*(record("broken", ago(60 - i), i < 40) for i in range(60)))
        page = self.page_of()
        for agent, keys in (("plain", ["succeeded"]), ("failing", ["succeeded", "failed"]), ("scored", ["succeeded", "mean quality"]),
                            ("broken", ["succeeded", "failed", "changed"])):
            section = self.section(page, agent)
            self.assertEqual(re.findall(r'class="key"><i class="\w+"></i>([\w ]+)<', section), keys)
            for name, what in (("failure", "failed"), ("quality", "mean quality"), ("mark", "changed")):
                self.assertEqual(f'<path class="{name}"' in section, what in keys, (agent, name))

    def marks(self, part):
        path = re.search(r'<path class="mark" d="([^"]*)"', part)
        self.assertEqual(bool(path), '<i class="mark"></i>changed<' in part)
        return [float(at) for at in re.findall(r"M([\d.]+) 0V100", path.group(1))] if path else []

    def test_each_change_is_marked_where_all_agents_are_shown_and_in_the_agents_own_picture(self):
        when = [ago(800 - i * 4) for i in range(200)]
        self.replay(*(record("steady", ended) for ended in when))
        self.assertEqual(self.marks(self.page_of()), [])
        for agent, hours in (("worse", 100), ("dear", 250), ("slow", 400), ("dull", 600), ("twin", 100)):
            first = (800 - hours) // 4
            self.replay(*(record(agent, when[i], i < first or agent not in ("worse", "twin"),
                                 execution_time_s=90 if agent == "slow" and i >= first else 20,
                                 quality_score=0.4 if agent == "dull" and i >= first else 0.9,
                                 metadata={"cost_usd": 0.4 if agent == "dear" and i >= first else 0.2}) for i in range(200)))
        page = self.page_of()
        overview = page.split("<h2")[0]
        width = self.columns(overview, "success")[1]
        found = self.marks(overview)
        self.assertEqual(len(found), 4, "two in one column are one mark")
        for at, hours in zip(found, (600, 400, 250, 100)):
            self.assertAlmostEqual(at, width * (1 - hours / 800), delta=2)
        for agent in ("worse", "dear", "slow", "dull", "twin"):
            self.assertEqual(len(self.marks(self.section(page, agent))), 1, agent)
        self.assertEqual(self.marks(self.section(page, "steady")), [])

    def test_only_the_changes_that_are_named_are_marked(self):
        for agent in range(15):
            self.replay(*(record(f"agent-{agent:02}", ago(200 - i), i < 100 + agent * 5) for i in range(200)))
        overview = self.page_of().split("<h2")[0]
        self.assertEqual((overview.count('<li class="bad"'), len(self.marks(overview))), (12, 12))
        self.assertIn("and 3 more", overview)

    def test_a_change_at_a_time_that_cannot_be_right_is_told_and_not_drawn(self):
        self.replay(*(record("coach", ago(100 - i)) for i in range(60)), *(record("steady", ago(100 - i)) for i in range(60)))
        with self.log("coach").open("a") as log:
            log.write("".join(record("coach", f"2099-01-01T00:00:{i:02}Z", False) for i in range(30)))
        page = self.page_of()
        self.assertIn("worse since 2099-01-01 00:00 UTC, 0 of 30", page)
        self.assertEqual((self.marks(page), self.marks(self.section(page, "coach"))), ([], []))

    def test_a_clock_that_was_wrong_does_not_squeeze_the_others(self):
        self.replay(*(record("coach", ago(40 - i)) for i in range(30)))
        with self.log("coach").open("a") as log:
            log.write(record("coach", "1970-01-01T00:00:09Z") + record("coach", "2099-01-01T00:00:00Z"))
        section = self.section(self.page_of(), "coach")
        self.assertIn("Not drawn: 2 with a time that cannot be right.", section)
        self.assertLess(self.columns(section, "success")[1], 180)

    def test_every_axis_says_when(self):
        for agent, seconds in (("minute", 20), ("hours", 7200), ("days", 400000), ("years", 90000000)):
            self.log(agent).parent.mkdir(parents=True)
            self.log(agent).write_text("".join(record(agent, ago(seconds * (11 - i) / 36000)) for i in range(10)))
        page = self.page_of()
        for agent, label in (("minute", r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|\d\d:\d\d|[A-Z][a-z]{2} \d+"), ("hours", r"\d\d:\d\d|[A-Z][a-z]{2} \d+"), ("days", r"[A-Z][a-z]{2} \d+"),
                             ("years", r"\d{4}-\d\d")):
            picture = re.search(r'<div class="plot outcomes".*?</div>', self.section(page, agent), re.S).group(0)
            self.assertRegex(picture, rf'<span class="x[^>]*">(?:{label})</span>')

    def test_the_last_day_of_a_week_has_its_label(self):
        newest = datetime.datetime.now(datetime.timezone.utc).replace(hour=12, minute=0) - datetime.timedelta(days=2)
        self.replay(*(record("coach", f"{newest - datetime.timedelta(days=i):%Y-%m-%dT%H:%M:%SZ}") for i in range(7)))
        picture = re.search(r'<div class="plot outcomes".*?</div>', self.section(self.page_of(), "coach"), re.S).group(0)
        self.assertEqual(re.findall(r'<span class="x[^>]*">([^<]*)</span>', picture)[-1], f"{newest:%b} {newest.day}")

    def test_one_run_is_told_without_a_picture(self):
        self.replay(record("solo", ago(3), execution_time_s=7))
        page = self.page_of()
        self.assertNotIn("<svg", page)
        self.assertIn("<span>duration, p50</span><b>7.0 s</b>", self.section(page, "solo"))

    def test_a_project_without_records_says_so(self):
        self.assertIn("Nothing is recorded here yet", self.page_of())


class ManyAgents(ReportTest):
    COUNT = 5000

    def setUp(self):
        super().setUp()
        for i in range(self.COUNT):
            name = f"agent-{i:04}"
            self.log(name).parent.mkdir(parents=True)
            lines = [record(name, ago(60 - at), i % 500 != 7 or at < 40, metadata={"model": "m", "cost_usd": 0.1})
                     for at in range(60 if i % 500 == 7 else 3)]
            self.log(name).write_text("".join(lines))
        self.page = self.page_of()

    def test_they_are_under_a_megabyte_the_worst_in_full_and_any_can_be_found(self):
        self.assertLess(len(self.page.encode()), PAGE_BYTES_MAX)
        for i in range(self.COUNT):
            self.assertIn(f"agent-{i:04}", self.page)
        found = Structure(self.page)
        self.assertEqual((found.open, found.problems), ([], []))
        self.assertEqual(re.findall(r'<section id="agent-agent-(\d+)"', self.page)[:10], [f"{500 * i + 7:04}" for i in range(10)])
        self.assertIn("The worst 500 of 5000 agents.", self.page)
        self.assertEqual({link[1:] for link in found.links} - set(found.ids), set())
        if BROWSER:
            frame = self.measure(self.page, "AGENT-4242", widths=[390])[0]
            self.assertEqual((len(frame["first"]), frame["found"], frame["scrolls"]), (500, ["agent-4242"], False))


if __name__ == "__main__":
    unittest.main()

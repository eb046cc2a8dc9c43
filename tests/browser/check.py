"""Looks at every page of a master's web UI in Chromium: without errors on the console, also while the page is brought up to date,
without violations of accessibility (axe-core), not wider than the screen; in light, in dark, or on a phone. Or uses it: follows a
file, watches a page change without being loaded again, chooses a theme, goes around by keyboard, and does without JavaScript.

usage: check.py MASTER SCREENSHOTS light|dark|phone lists|entities
       check.py MASTER SCREENSHOTS use all
       check.py MASTER SCREENSHOTS light|dark|phone large
       check.py MASTER SCREENSHOTS standby LEADER
(prints what is wrong; expects something of everything: agents, tasks and frameworks in all their states, offers and inverse offers,
quotas, maintenance; and a task that runs and writes. For `large` many emulated agents with many tasks, some of which do not
answer; it drains one, deactivates one, and declares one gone)
"""

import json
import os
import shutil
import signal
import sys
import time
import urllib.request
from urllib.parse import quote

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

MASTER, SCREENSHOTS, WHAT, PART = sys.argv[1:]
VIEWS = {"light": ("light", 1280, 860), "dark": ("dark", 1280, 860), "phone": ("light", 390, 844)}
# Milliseconds. A master with much to show takes longer.
PATIENCE = 120_000 if PART == "large" else 40_000
faults = []
# What is looked at, for who has to say that it takes too long.
now = ["starting"]
# Seconds. A master with much to show takes longer, and one of its agents has to be lost first.
LIMIT = 360 if PART == "large" else 95


def too_long(*_):
    sys.exit(f"check.py: not within {LIMIT} s: {now[0]}")


signal.signal(signal.SIGALRM, too_long)
signal.alarm(LIMIT)


def ask(path):
    with urllib.request.urlopen(f"http://{MASTER}{path}", timeout=30) as answer:
        return json.load(answer)


def escaped(text):
    return quote(text, safe="")


def pages():
    """Every page by name: its path, and its status."""
    found = {
        name: (path, 200)
        for name, path in [
            ("overview", "/"),
            ("day", "/?span=day"),
            ("agents", "/ui/agents"),
            ("frameworks", "/ui/frameworks"),
            ("roles", "/ui/roles"),
            ("tasks", "/ui/tasks"),
            ("nothing-found", "/ui/tasks?search=nothing-has-this-name"),
            ("gone-agents", "/ui/agents?state=gone"),
            ("offers", "/ui/offers"),
            ("maintenance", "/ui/maintenance"),
        ]
    }
    if PART == "large":
        found = {**large(), **found}
        # What takes its time comes last: agents that do not answer are lost, and all are counted.
        found |= {name: found.pop(name) for name in ("unreachable-agents", "unreachable-agent", "overview", "day")}
        return {f"large-{name}": page for name, page in found.items()}
    if WHAT == "standby":
        return {name: page for name, page in found.items() if "?" not in page[0]}
    found["no-page"] = ("/ui/nothing", 404)
    expect_something(found)
    if PART == "lists":
        return found
    if PART == "entities":
        found.clear()
    for state in ["active", "draining", "unreachable", "gone"]:
        agent = ask(f"/state-summary/agents?state={state}")["agents"][0]
        found["agent" if state == "active" else f"{state}-agent"] = (f"/ui/agents/{escaped(agent['id'])}", 200)
    for state in ["RUNNING", "STAGING", "FAILED", "KILLING", "UNREACHABLE", "LOST"]:
        for task in ask(f"/tasks?limit=1&order=asc&state=TASK_{state}")["tasks"]:
            path = f"/ui/tasks/{escaped(task['framework_id'])}/{escaped(task['id'])}"
            found["task" if state == "RUNNING" else f"{state.lower()}-task"] = (path, 200)
    for framework in ask("/state-summary/frameworks?search=web+services")["frameworks"]:
        found["framework"] = (f"/ui/frameworks/{escaped(framework['id'])}", 200)
        found["explained"] = (f"/ui/frameworks/{escaped(framework['id'])}/explain", 200)
    found["role-explained"] = ("/ui/roles/explain?name=analytics", 200)
    # The task that writes.
    task = ask("/tasks?limit=1&search=frontend.1")["tasks"][0]
    identity = f"framework_id={escaped(task['framework_id'])}&task_id={escaped(task['id'])}"
    sandbox = ask(f"/explain/task?{identity}")["sandbox"]
    files = f"/ui/agents/{escaped(task['slave_id'])}/file"
    found["files"] = (f"{files}s?path={escaped(sandbox)}", 200)
    found["file"] = (f"{files}?path={escaped(sandbox + '/stdout')}", 200)
    found["no-agent"] = ("/ui/agents/nobody", 404)
    return found


def expect_something(found):
    """A list that is empty looks well whatever it is."""
    for path, name in [
        ("/offers", "offers"),
        ("/inverse-offers", "inverse_offers"),
        ("/state-summary/agents?state=gone", "agents"),
        ("/maintenance/status", "down_machines"),
        ("/maintenance/status", "draining_machines"),
        ("/quota", "infos"),
    ]:
        if not (ask(path).get(name) or ask(path).get("status", {}).get(name)):
            faults.append(f"nothing is to be seen of {name}")


def registered():
    return int(ask("/metrics/snapshot")["master/slaves_connected"])


def large():
    """What is the most to do for a master, and one of everything."""
    agents = {
        what: ask(f"/state-summary/agents?search=agent-{number}.example.com")["agents"][0]["id"]
        for what, number in [
            # This one does not answer.
            ("unreachable-agent", 0),
            ("agent", 4711),
            ("draining-agent", 4712),
            ("deactivated-agent", 4713),
            ("gone-agent", 4714),
        ]
    }
    for what, call in [
        ("draining-agent", "DRAIN_AGENT"),
        ("deactivated-agent", "DEACTIVATE_AGENT"),
        ("gone-agent", "MARK_AGENT_GONE"),
    ]:
        post("/api/v1", {"type": call, call.lower(): {"agent_id": {"value": agents[what]}}})
    found = {
        "agents-sorted": "/ui/agents?sort=used_cpus&order=des",
        "agents-found": "/ui/agents?search=99",
        "unreachable-agents": "/ui/agents?state=unreachable",
        "last-agents": f"/ui/agents?offset={registered() - 10}",
        "no-agents": "/ui/agents?state=drained",
        "tasks-sorted": "/ui/tasks?state=TASK_RUNNING&sort=name",
        "tasks-of-an-agent": f"/ui/tasks?slave_id={escaped(agents['agent'])}",
        "role-explained": f"/ui/roles/explain?name={escaped('*')}",
        **{what: f"/ui/agents/{escaped(agent)}" for what, agent in agents.items()},
    }
    for name, query in [
        ("task", f"state=TASK_RUNNING&slave_id={escaped(agents['agent'])}"),
        ("finished-task", "state=TASK_FINISHED"),
        ("lost-task", f"state=TASK_LOST&slave_id={escaped(agents['gone-agent'])}"),
    ]:
        task = ask(f"/tasks?limit=1&{query}")["tasks"][0]
        framework = f"/ui/frameworks/{escaped(task['framework_id'])}"
        found[name] = f"/ui/tasks/{escaped(task['framework_id'])}/{escaped(task['id'])}"
    found |= {"framework": framework, "explained": f"{framework}/explain"}
    return {name: (path, 200) for name, path in found.items()}


# How often a page asks for itself while it is listened to.
UPDATES = 2


def listen(page, *masters):
    """What goes wrong in a page from now on until it is closed: its errors, what its console says, and requests to others."""
    own = tuple(f"http://{master}/" for master in masters)
    said = []
    page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(own) else said.append(request.url))
    return said


def updated(page):
    """Whether a page has been brought up to date often enough, if it is one that is."""
    is_live = "Number(document.getElementById('main').dataset.live) > 0"
    times = "performance.getEntriesByType('resource').filter(e => e.name === location.href).length"
    return not page.evaluate(is_live) or page.evaluate(times) >= UPDATES


def look(context, name, path, status, view):
    """One page: what axe finds, and a picture; and what is to be known of it when it has been open for a while."""
    now[0] = name
    if name == "large-unreachable-agents":
        silent = "/state-summary/agents?state=unreachable&search=agent-0.example.com"
        wait_until("the agent that does not answer is lost", lambda: ask(silent)["agents"])
    if name == "large-overview":
        wait_until("all agents are counted", lambda: ask("/overview")["agents"]["registered"] == registered())
    page = context.new_page()
    said = listen(page, MASTER)
    answer = page.goto(f"http://{MASTER}{path}")
    if answer.status != status:
        faults.append(f"{name}: status {answer.status}")
    for violation in Axe().run(page).response["violations"]:
        targets = [node["target"] for node in violation["nodes"]][:3]
        faults.append(f"{name} ({view}): axe {violation['id']}: {violation['help']}: {targets}")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        faults.append(f"{name} ({view}): wider than the screen")
    if page.evaluate("window.pwned !== undefined"):
        faults.append(f"{name} ({view}): what a user wrote was run")
    page.screenshot(path=os.path.join(SCREENSHOTS, f"{name}-{view}.png"))
    return name, page, status, said


def leave(name, page, status, said, view):
    """Closes a page when it has been brought up to date: what its console says then counts as at the beginning."""
    wait_until(f"{name} is brought up to date", lambda: updated(page))
    page.close()
    # Of a page that is not there the console says so, which is right.
    lines = [line for line in said if status == 200 or f"{status}" not in line]
    faults.extend(f"{name} ({view}): {line}" for line in dict.fromkeys(lines))


def look_at_all(context, all_pages, view):
    """Each page stays open while the next ones are looked at."""
    opened = []
    for name, (path, status) in all_pages.items():
        opened.append(look(context, name, path, status, view))
        while opened and updated(opened[0][1]):
            leave(*opened.pop(0), view)
    for page in opened:
        leave(*page, view)


def expect(what, holds):
    if not holds:
        faults.append(what)


def wait_until(what, holds):
    """Asks again and again: the page's policy lets nothing be evaluated in it that would wait there."""
    now[0] = what
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        if time.monotonic() > deadline:
            raise Error(f"not in time: {what}")
        time.sleep(0.05)


def use(browser, all_pages):
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme="light")
    page = context.new_page()
    said = listen(page, MASTER)
    if "file" in all_pages:
        # What a task writes is shown as it comes.
        page.goto(f"http://{MASTER}{all_pages['file'][0]}")
        lines = "document.getElementById('file').textContent.split('\\n').length"
        before = page.evaluate(lines)
        wait_until("more is shown of the file", lambda: page.evaluate(lines) > before + 2)
        whole = page.evaluate("document.getElementById('file').textContent").split("\n")[:-1]
        numbers = [int(line.split()[1]) for line in whole if line.startswith("line ")]
        expect(f"the file has gaps: {numbers}", numbers == list(range(numbers[0], numbers[0] + len(numbers))))
        page.uncheck("#follow")
    # A page changes by itself, and what was typed stays.
    page.goto(f"http://{MASTER}/ui/maintenance")
    page.evaluate("window.stayed = true")
    windows = ask("/maintenance/schedule").get("windows", [])
    window = {"machine_ids": [{"hostname": "machine-<b>7</b>"}], "unavailability": {"start": {"nanoseconds": 2 * 10**18}}}
    post("/maintenance/schedule", {"windows": [*windows, window]})
    page.get_by_text("machine-<b>7</b>").first.wait_for(timeout=PATIENCE)
    expect("the page was loaded again", page.evaluate("window.stayed === true"))
    post("/maintenance/schedule", {"windows": windows})
    page.get_by_text("machine-<b>7</b>").first.wait_for(state="detached", timeout=PATIENCE)
    page.goto(f"http://{MASTER}/ui/tasks")
    page.fill("#search", "half a wo")
    wait_until("the page asks for itself", lambda: updated(page))
    expect("what was typed is lost", page.input_value("#search") == "half a wo")
    # A theme that is chosen stays chosen.
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    page.click("#theme")
    dark = page.evaluate(ground)
    expect("the theme does not change", light != dark)
    page.goto(f"http://{MASTER}/")
    expect("the theme is forgotten", page.evaluate(ground) == dark)
    # The first key leads past the way around, and the next ones through it.
    page.keyboard.press("Tab")
    expect("no skip link", page.evaluate("document.activeElement.className") == "skip")
    page.keyboard.press("Enter")
    expect("the skip link does not lead to the content", page.evaluate("location.hash") == "#main")
    by_keyboard(page)
    faults.extend(f"in use: {line}" for line in said)
    # The master goes: the page says so, and stays.
    page.route("**/*", lambda route: route.abort())
    page.get_by_text("The master does not answer").wait_for(timeout=PATIENCE)
    expect("the page is gone with the master", page.locator("h1").count() == 1)
    context.close()


def tab_to(page, what, matches):
    """Goes on by the tab key until something has the focus that matches; everything on the way has a visible mark."""
    for _ in range(200):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        is_body = page.evaluate("document.activeElement === document.body")
        expect(f"on the way to {what} the focus cannot be seen", is_body or outline != "none")
        if page.evaluate(f"document.activeElement.matches({json.dumps(matches)})"):
            return
    raise Error(f"the tab key does not lead to {what}")


def by_keyboard(page):
    """Searches, sorts and turns the pages of a list without a mouse."""
    page.goto(f"http://{MASTER}/ui/tasks")
    tab_to(page, "the search field", "#search")
    page.keyboard.type("report")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/tasks?*search=report*")
    found = page.locator("tbody tr").count()
    expect("Enter does not search", 0 < found and "nightly-report" in page.inner_text("tbody"))
    tab_to(page, "a heading that sorts", "thead a[href*='sort=name']")
    page.keyboard.press("Enter")
    page.wait_for_url("**sort=name*")
    expect("Enter on a heading does not sort", page.locator("th[aria-sort=ascending]").count() == 1)
    expect("sorting forgets the search", page.input_value("#search") == "report")
    tab_to(page, "a row's link", "tbody th a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/tasks/*/*")
    page.goto(f"http://{MASTER}/ui/tasks?offset=1")
    tab_to(page, "the previous page", "a[rel=prev]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/tasks")
    expect("the first page has a page before it", page.locator("a[rel=prev]").count() == 0)


def without_scripts(browser, all_pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, (path, _) in all_pages.items():
        page.goto(f"http://{MASTER}{path}")
        expect(f"{name}: nothing is shown without JavaScript", page.locator("main h1").count() == 1)
    page.goto(f"http://{MASTER}/ui/tasks")
    page.fill("#search", "nothing-has-this-name")
    page.click("button[type=submit]")
    expect("the search needs JavaScript", "None of 0" in page.inner_text("main"))
    context.close()


def lead(browser, all_pages):
    """From each page of a standby to the same page of the leader, which then keeps itself up to date."""
    page = browser.new_page()
    said = listen(page, MASTER, PART)
    for name, (path, _) in all_pages.items():
        now[0] = name
        answer = page.goto(f"http://{MASTER}{path}")
        expect(f"{name}: it leads to {page.url}", page.url == f"http://{PART}{path}")
        expect(f"{name}: status {answer.status}", answer.status == 200)
        wait_until(f"{name} is live", lambda: "Up to date" in page.inner_text("body"))
    wait_until(f"{name} is brought up to date", lambda: updated(page))
    page.screenshot(path=os.path.join(SCREENSHOTS, "standby.png"))
    faults.extend(said)


def post(path, body):
    url, kind = f"http://{MASTER}{path}", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), kind, method="POST")
    urllib.request.urlopen(request, timeout=30).close()


def main():
    os.makedirs(SCREENSHOTS, exist_ok=True)
    all_pages = pages()
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        if chromium is None:
            sys.exit("check.py: there is no chromium; apt-get install chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            if WHAT in VIEWS:
                theme, width, height = VIEWS[WHAT]
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
                context.set_default_timeout(PATIENCE)
                look_at_all(context, all_pages, WHAT)
            elif WHAT == "standby":
                lead(browser, all_pages)
            else:
                use(browser, all_pages)
                without_scripts(browser, all_pages)
        except Error as error:
            faults.append(f"in the middle of it: {error}")
        browser.close()
    print(json.dumps({"pages": sorted(all_pages), "faults": faults}))


main()

"""Starts a cluster that has something to show, and takes its pictures.

usage: screenshots.py MESETA DIRECTORY
"""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

from PIL import Image
from playwright.sync_api import sync_playwright

MESETA, DIRECTORY = sys.argv[1:]
AGENTS = 8
# Name, role, cpus, megabytes.
SERVICES = [
    ("web", "frontend", 1.5, 900),
    ("api", "frontend", 2, 1200),
    ("search", "search", 2.5, 2000),
    ("ingest", "analytics", 3, 1500),
    ("train", "analytics", 4, 3000),
    ("mail", "batch", 0.5, 300),
]


def ask(master, path):
    with urllib.request.urlopen(f"http://{master}{path}", timeout=30) as answer:
        return json.load(answer)


def take(browser, master, theme, path, name):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=theme, device_scale_factor=1.5)
    page = context.new_page()
    page.goto(f"http://{master}{path}")
    page.get_by_text("Up to date").wait_for()
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(os.path.join(DIRECTORY, name), "WEBP", quality=82, method=6)
    context.close()


def main():
    os.makedirs(DIRECTORY, exist_ok=True)
    flags = ["--port", "0", "--agents", str(AGENTS), "--output", "json", "--resources", "cpus:4;mem:4096;disk:20480"]
    up = subprocess.Popen([MESETA, "up", *flags], stdout=subprocess.PIPE, text=True)
    running = [up]
    try:
        master = json.loads(up.stdout.readline())["master"]
        for name, role, cpus, mem in SERVICES:
            words = ["run", "--master", master, "--name", name, "--role", role, "--cpus", str(cpus), "--mem", str(mem)]
            command = [MESETA, *words, "while :; do echo served; sleep 1; done"]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            time.sleep(12)  # The pictures show what was used over time.
        subprocess.run([MESETA, "run", "--master", master, "--name", "report", "exit 1"], check=False)
        while len(ask(master, "/tasks?state=TASK_RUNNING")["tasks"]) < len(SERVICES):
            time.sleep(0.1)
        time.sleep(6)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            take(browser, master, "light", "/", "overview-light.webp")
            take(browser, master, "dark", "/", "overview-dark.webp")
            take(browser, master, "light", "/ui/tasks", "tasks.webp")
            browser.close()
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


main()

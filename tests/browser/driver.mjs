// A browser on a leash: reads one JSON command per line, carries it out in headless Chromium, and
// answers with one JSON line. The tests that hold the leash are in tests/tests/office*.rs.
//
// Everything waits for events of the page; nothing sleeps. What the page complains about (console,
// uncaught errors, failed requests) is collected until it is asked for.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const WAIT_MS_MAX = 30_000;
const base = process.argv[2];

/** The browser of the system, wherever it is; none is downloaded. */
function chromiumPath() {
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const places = (process.env.PATH ?? "").split(path.delimiter);
  const found = names.flatMap((name) => places.map((place) => path.join(place, name))).find(existsSync);
  if (!found) throw new Error("no Chromium in PATH: install the package `chromium`, or run ./tests/run, which does");
  return found;
}

const browser = await chromium.launch({
  executablePath: process.env.ROADBOOK_CHROMIUM ?? chromiumPath(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
});
const context = await browser.newContext({ baseURL: base, viewport: { width: 1280, height: 900 }, locale: process.argv[3] ?? "en-GB" });
context.setDefaultTimeout(WAIT_MS_MAX);

let complaints = [];
/** The event streams that are open, of all tabs. */
const streams = new Set();
async function newPage() {
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("response", (answer) => {
    if (answer.status() >= 400) complaints.push(`${answer.status()} ${answer.url()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== new URL(base).origin && url.protocol !== "data:") complaints.push(`elsewhere: ${request.url()}`);
    if (url.pathname === "/events") streams.add(request);
  });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => streams.delete(request));
  // What a page had ends with it, and is not always told.
  const forget = () => { for (const request of streams) if (request.frame().page() === page) streams.delete(request); };
  page.on("close", forget);
  page.on("framenavigated", (frame) => { if (frame === page.mainFrame()) forget(); });
  return page;
}
const page = await newPage();
/** Further tabs beside the first. */
let tabs = [];
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const commands = {
  async open({ path }) {
    const answer = await page.goto(path, { waitUntil: "load" });
    return { status: answer?.status() ?? 0, path: new URL(page.url()).pathname };
  },
  async fill({ selector, text }) {
    await page.fill(selector, text);
  },
  // Clicks, and waits for the page that follows if the click leads to one.
  async click({ selector, follow }) {
    if (follow) {
      await Promise.all([page.waitForEvent("load"), page.click(selector)]);
    } else {
      await page.click(selector);
    }
    return { path: new URL(page.url()).pathname };
  },
  async drag({ from, to }) {
    await page.dragAndDrop(from, to);
  },
  // Clicks, and gives the text of the file that comes.
  async download({ selector }) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    return readFile(await file.path(), "utf8");
  },
  async choose({ selector, value }) {
    await page.selectOption(selector, value);
  },
  async press({ key }) {
    await page.keyboard.press(key);
    return page.evaluate(() => {
      const at = document.activeElement;
      return { tag: at.tagName, text: (at.innerText ?? "").trim(), href: at.getAttribute("href"), id: at.id };
    });
  },
  async text({ selector }) {
    return page.innerText(selector);
  },
  async attribute({ selector, name }) {
    return page.getAttribute(selector, name);
  },
  async count({ selector }) {
    return page.locator(selector).count();
  },
  // Waits until an element holds the text.
  async see({ selector, text }) {
    await page.locator(selector, { hasText: text }).first().waitFor({ state: "attached" });
  },
  // Waits until no element holds the text.
  async miss({ selector, text }) {
    await page.waitForFunction(
      ([selector, text]) => ![...document.querySelectorAll(selector)].some((e) => e.textContent.includes(text)),
      [selector, text],
    );
  },
  // From now on the page notes when the text appears; `watched` tells.
  async watch({ selector, text }) {
    await page.evaluate(([selector, text]) => {
      const seen = () => [...document.querySelectorAll(selector)].some((e) => e.textContent.includes(text));
      if (seen()) throw new Error(`\`${text}\` is there already`);
      window.watched = new Promise((resolve) => {
        const observer = new MutationObserver(() => {
          if (!seen()) return;
          observer.disconnect();
          resolve(Date.now());
        });
        observer.observe(document.documentElement, { subtree: true, childList: true, characterData: true });
      });
    }, [selector, text]);
  },
  async watched() {
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("it never appeared")), WAIT_MS_MAX).unref());
    return Promise.race([page.evaluate(() => window.watched), late]);
  },
  async resize({ width, height }) {
    await page.setViewportSize({ width, height });
  },
  async scheme({ dark }) {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    return page.evaluate(() => {
      const style = getComputedStyle(document.documentElement);
      return `${style.backgroundColor} ${getComputedStyle(document.body).color}`;
    });
  },
  // How many pixels the page is wider than the window, and what sticks out.
  async overflow() {
    return page.evaluate(() => {
      const width = document.documentElement.clientWidth;
      const over = [...document.querySelectorAll("main *")]
        .filter((e) => e.getBoundingClientRect().right > width + 1 && e.offsetParent !== null)
        .slice(0, 5)
        .map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`);
      // What a box cuts off is out of sight, and makes no page wider. What somebody wrote into a field scrolls in it.
      const cut = [...document.querySelectorAll("main *")]
        .filter((e) => ["clip", "hidden"].includes(getComputedStyle(e).overflowX) && e.offsetParent !== null)
        .filter((e) => !(e.matches("input, textarea") && e.value))
        .filter((e) => e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).textOverflow !== "ellipsis")
        .map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`);
      return { by: document.documentElement.scrollWidth - width, over, cut };
    });
  },
  // Controls without a name that a screen reader could say.
  async nameless() {
    return page.evaluate(() =>
      [...document.querySelectorAll("a, button, input:not([type=hidden], [hidden]), select, textarea")]
        .filter((e) => {
          const labelled = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.title;
          const label = e.labels?.length ? [...e.labels].map((l) => l.textContent).join("") : "";
          return !(labelled || label.trim() || e.textContent.trim());
        })
        .map((e) => e.outerHTML.slice(0, 120)));
  },
  // What axe-core finds of what keeps people out: one line each, with where it is.
  async axe() {
    // Told to the page by the debugger, past its policy, which forbids foreign scripts.
    await page.evaluate(axe);
    // What fades in is judged when it is there.
    await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().iterations !== Infinity).map((a) => a.finished)));
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations
      .filter((rule) => rule.impact === "serious" || rule.impact === "critical")
      .flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")} ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`));
  },
  // Opens so many further tabs at a path; each has been read and is live.
  async tabs({ path, count }) {
    for (let n = 0; n < count; n += 1) {
      const tab = await newPage();
      tabs.push(tab);
      await tab.goto(path, { waitUntil: "load" });
    }
  },
  // Waits until an element of every tab holds the text.
  async tabs_see({ selector, text }) {
    await Promise.all([page, ...tabs].map((tab) => tab.locator(selector, { hasText: text }).first().waitFor({ state: "attached" })));
  },
  // Closes the tab that has the stream; how many are left.
  async close_streaming() {
    const [request] = streams;
    const tab = request.frame().page();
    if (tab === page) throw new Error("the first tab has the stream");
    tabs = tabs.filter((other) => other !== tab);
    await tab.close();
    return tabs.length;
  },
  async streams() {
    return streams.size;
  },
  async complaints() {
    return complaints.splice(0);
  },
  async screenshot({ file }) {
    await page.screenshot({ path: file, fullPage: true });
  },
};

process.stdout.write(`${JSON.stringify({ ready: true, version: browser.version() })}\n`);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { do: name, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await commands[name](rest)) ?? null };
  } catch (error) {
    answer = { error: `${name}: ${error.message}`, page: page.url() };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();

// The pictures of the README: `node tests/browser/picture.mjs WELCOME_LINK DIR` against a running
// `cargo demo`. Signs the manager in with the one-time link and photographs the pages.
import { chromium } from "playwright-core";

const [link, dir = "docs/images"] = process.argv.slice(2);
if (!link) {
  console.error("usage: node tests/browser/picture.mjs WELCOME_LINK [DIR]  (the link is what `cargo demo` prints)");
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env.ROADBOOK_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
});
const shots = [
  { name: "office", width: 1280, height: 860, scheme: "light" },
  { name: "office-dark", width: 1280, height: 860, scheme: "dark" },
  { name: "office-phone", width: 360, height: 740, scheme: "light" },
];
const origin = new URL(link).origin;
let state;
{
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.goto(link);
  for (const field of await page.locator("input[type=password]").all()) await field.fill("a long enough passphrase 7");
  await Promise.all([page.waitForEvent("load"), page.click("form button[type=submit], form button:not([type])")]);
  console.log("signed in:", page.url());
  state = await context.storageState();
  await context.close();
}
for (const { name, width, height, scheme } of shots) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, storageState: state, deviceScaleFactor: 1 });
  const page = await context.newPage();
  for (const [suffix, path] of [["-today", "/"], ["-contacts", "/contacts"], ["-decide", "/decide"]]) {
    await page.goto(origin + path);
    await page.screenshot({ path: `${dir}/${name}${suffix}.png` });
  }
  const conflict = page.locator("main a[href*='/contacts/']").first();
  await page.goto(new URL(await conflict.getAttribute("href"), origin).href);
  await page.screenshot({ path: `${dir}/${name}.png`, fullPage: false });
  await context.close();
}
await browser.close();

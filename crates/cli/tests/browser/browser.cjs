// A browser that notes everything that must not happen on our pages.

const { readFileSync } = require("node:fs");
const { chromium } = require("playwright-core");

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Violations that were noted; empty in the end, or the test fails. */
const noted = [];

function note(text) {
  noted.push(text);
  console.log(`NOT WELL: ${text}`);
}

function expect(holds, text) {
  if (!holds) note(text);
}

async function launch() {
  // Tests run as root in containers, where the sandbox of the browser can't be had.
  return chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
}

/** A page that notes errors, dialogs, broken policies and requests to elsewhere. */
async function open(browser, base, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  const where = () => page.url().replace(base, "");
  page.on("console", (message) => {
    // A page that is not there is one of those that are tried.
    if (["error", "warning"].includes(message.type()) && !message.text().includes("404")) note(`${where()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => note(`${where()}: ${error.message}`));
  page.on("dialog", (dialog) => { note(`${where()}: a dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => expect(request.url().startsWith(base), `${where()}: asks ${request.url()}`));
  if (options.javaScriptEnabled !== false) {
    await page.exposeFunction("noteViolation", (text) => note(`${where()}: ${text}`));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        window.noteViolation(`${event.violatedDirective} is violated by ${event.blockedURI} ${event.sample}`);
      });
    });
  }
  return page;
}

/** Looks through the page for what keeps people out. Source: axe-core, all rules of WCAG A and AA and best practice. */
async function accessible(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await window.axe.run()).violations.map((one) =>
    `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(" | ")}`));
  found.forEach((text) => note(`${name}: ${text}`));
}

/** The page fits into the window. */
async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  const widest = () => page.evaluate(() => [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll"))
    .sort((one, other) => other.getBoundingClientRect().right - one.getBoundingClientRect().right)[0]?.outerHTML.slice(0, 300));
  if (over > 0) note(`${name} is ${over} pixels wider than the window: ${await widest()}`);
}

async function finish(browser) {
  await browser.close();
  process.exit(noted.length === 0 ? 0 : 1);
}

module.exports = { accessible, expect, finish, fits, launch, note, open };

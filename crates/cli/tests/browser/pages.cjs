// Drives each page: with the mouse, with the keyboard, on a phone, in the dark, and without a script.
// node pages.cjs BASE {"id": REPOSITORY, "git": PATH, "run": RUN, "branch": NAME}

const { execFileSync } = require("node:child_process");
const { accessible, expect, finish, fits, launch, open } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);
const facts = JSON.parse(given);
const repository = `/repositories/${facts.id}`;

const PAGES = {
  overview: "/",
  repository,
  branches: `${repository}/branches`,
  grouped: `${repository}/branches?group=state&sort=-behind`,
  "none found": `${repository}/branches?q=nothing-is-called-so`,
  branch: `${repository}/branch?name=${encodeURIComponent(facts.branch)}`,
  alerts: "/alerts",
  "a silence": "/silences/new?matchers=alertname%3Dwork-lost&lasts=2h&who=ann&comment=known",
  "a wrong silence": "/silences/new?matchers=alertname",
  runs: "/runs",
  run: `/runs/${facts.run}`,
  maintenance: "/maintenance",
  "a longer window": "/maintenance/windows/desk?longer=1h",
  "the end of a window": "/maintenance/windows/desk",
  report: "/report?period=week",
  checks: "/about/checks",
  metrics: "/about/metrics",
  configuration: "/about/configuration",
  status: "/status",
  "not there": "/no-such-page",
};

const LOOKS = {
  light: {},
  dark: { colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true },
};

async function everyPageInEveryLook(browser) {
  for (const [look, options] of Object.entries(LOOKS)) {
    const page = await open(browser, base, options);
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(base + path);
      await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
      await accessible(page, `${name}, ${look}`);
      await fits(page, `${name}, ${look}`);
      expect(await page.locator("h1").count() === 1, `${name} has not one h1`);
    }
    await page.context().close();
  }
}

/** Without a script each page says what it has to say, and nothing stands only in what unfolds. */
async function everyPageWithoutAScript(browser) {
  const page = await open(browser, base, { javaScriptEnabled: false, viewport: { width: 390, height: 844 } });
  for (const [name, path] of Object.entries(PAGES)) {
    await page.goto(base + path);
    expect(await page.locator("h1").count() === 1, `${name} has not one h1 without a script`);
    expect((await page.locator("main").innerText()).length > 40, `${name} is empty without a script`);
    expect(await page.locator("button.copy:visible").count() === 0, `${name} has buttons that need a script`);
  }
  await page.context().close();
}

async function filters(browser) {
  const page = await open(browser, base);
  await page.goto(base + PAGES.branches);
  const rows = page.locator("table.branches tbody tr");
  const all = await rows.count();
  await page.keyboard.press("/");
  await page.keyboard.type("fou");
  await page.waitForFunction(() => document.querySelectorAll("table.branches tbody tr").length === 1);
  expect(page.url().endsWith("?q=fou&sort=attention") || page.url().includes("q=fou"), `the filter is not in the address: ${page.url()}`);
  await page.reload();
  expect(await rows.count() === 1, "the address does not keep the filter");
  await page.locator("input[type=search]").fill("");
  await page.waitForFunction((n) => document.querySelectorAll("table.branches tbody tr").length === n, all);
  await page.selectOption("select[name=group]", "state");
  await page.waitForSelector("table.branches tr.group");
  await page.locator("thead a", { hasText: "Behind" }).click();
  await page.waitForSelector("th[aria-sort=descending]");
  const behind = await page.locator("table.branches tbody tr:not(.group) td:nth-of-type(2)").allTextContents();
  expect(behind.length === all, "sorting lost branches");
  await page.context().close();
}

async function chartsTellTheirValues(browser) {
  const page = await open(browser, base);
  await page.goto(base + PAGES.repository);
  const chart = page.locator("svg.chart").first();
  await chart.scrollIntoViewIfNeeded();
  await chart.hover();
  const tip = page.locator(".tip:not([hidden])");
  await tip.waitFor();
  expect(/\d{4}-\d\d-\d\d/.test(await tip.textContent()), "the tip tells no date");
  expect(await chart.getAttribute("aria-label") !== "", "a chart has no words");
  await page.context().close();
}

async function commandsAreCopied(browser) {
  const page = await open(browser, base, { permissions: ["clipboard-read", "clipboard-write"] });
  await page.goto(base + PAGES.branch);
  const button = page.locator("button.copy").first();
  const command = await button.getAttribute("data-copy");
  await button.click();
  await page.getByText("Copied").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText()) === command, "something else was copied");
  await page.context().close();
}

/** What people do about alerts is confirmed, done, and written down. */
async function alertsAreActedUpon(browser) {
  const page = await open(browser, base);
  await page.goto(`${base}/alerts`);
  await page.locator("table.alerts a", { hasText: "lost work" }).click();
  const care = page.locator("form[action$='/ack']");
  await care.getByLabel("Your name").fill("ann");
  await care.getByLabel("What you do about it").fill("<b>looking</b>");
  await care.getByRole("button").click();
  await page.getByText("ann does, since").waitFor();
  expect(await page.getByText("<b>looking</b>").count() > 0, "the note is not shown as it was written");
  await page.locator("form[action$='/unack']").getByLabel("Your name").fill("ann");
  await page.getByRole("button", { name: "Take that back" }).click();
  await care.waitFor();
  await page.getByRole("button", { name: "See what it would hold" }).click();
  await page.getByText("Say who you are and why").waitFor();
  expect(await page.locator("ul.list a", { hasText: "lost work" }).count() === 1, "the preview does not show what is held");
  await page.getByLabel("Your name").fill("ann");
  await page.getByLabel("Why").fill("known");
  await page.getByRole("button", { name: "See what it would hold" }).click();
  await page.getByRole("button", { name: /^Silence it until/ }).click();
  await page.waitForURL(`${base}/alerts`);
  await page.locator("table.alerts td", { hasText: "ann" }).waitFor();
  await page.locator("form[action$='/end']").getByLabel("Your name").fill("ann");
  await page.getByRole("button", { name: "End it" }).click();
  await page.locator("li", { hasText: "over" }).first().waitFor();
  const notes = await page.locator("section[aria-labelledby=h-audit] tbody tr").allTextContents();
  expect(notes.filter((note) => note.includes("ann")).length >= 4, `not all that was done is written down: ${notes}`);
  await page.context().close();
}

async function theKeyboardReachesTheContent(browser) {
  const page = await open(browser, base);
  await page.goto(base + PAGES.repository);
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement.className) === "skip", "the first stop is not the skip link");
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement.id) === "main", "the skip link does not lead to the content");
  const cause = page.locator("details.cause > summary").first();
  await cause.focus();
  await page.keyboard.press("Enter");
  expect(await page.locator("details.cause[open]").count() === 1, "a cause does not unfold by Enter");
  await page.context().close();
}

async function whatMovesIsSeenWithoutReloading(browser) {
  const page = await open(browser, base);
  await page.clock.install();
  await page.goto(base + PAGES.branches);
  await page.locator("#live.on").waitFor();
  execFileSync("git", ["-C", facts.git, "branch", "a-new-one", "main"]);
  const arrived = page.locator("table.branches", { hasText: "a-new-one" });
  for (let n = 0; n < 200 && await arrived.count() === 0; n += 1) {
    await page.clock.runFor(16_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await arrived.count() === 1, "a new branch does not show up by itself");
  await page.context().close();
}

async function withoutAScript(browser) {
  const page = await open(browser, base, { javaScriptEnabled: false });
  await page.goto(base + PAGES.branches);
  await page.locator("input[type=search]").fill("four");
  await page.locator("form.filter button").click();
  expect(await page.locator("table.branches tbody tr").count() === 1, "the filter needs a script");
  await page.goto(base + PAGES.repository);
  expect(await page.locator("svg.chart path").count() > 0, "charts need a script");
  await page.locator("details.cause > summary").first().click();
  expect(await page.locator("details.cause[open] .finding").first().isVisible(), "causes need a script");
  await page.context().close();
}

(async () => {
  const browser = await launch();
  await everyPageInEveryLook(browser);
  await everyPageWithoutAScript(browser);
  await filters(browser);
  await chartsTellTheirValues(browser);
  await commandsAreCopied(browser);
  await alertsAreActedUpon(browser);
  await theKeyboardReachesTheContent(browser);
  await whatMovesIsSeenWithoutReloading(browser);
  await withoutAScript(browser);
  await finish(browser);
})();

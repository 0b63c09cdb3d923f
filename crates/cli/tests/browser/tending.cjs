// Has a task planned, run and taken back from the page, with the mouse and without a script.
// node tending.cjs BASE {"log": PATH OF GC.LOG}

const { existsSync } = require("node:fs");
const { accessible, expect, finish, fits, launch, open } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);
const facts = JSON.parse(given);

const isThere = () => existsSync(facts.log);

/** Opens the page again and again until this shows: what the daemon does takes its time. */
async function until(page, address, locator) {
  for (let n = 0; n < 300; n += 1) {
    await page.goto(address);
    if (await locator.count() > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(false, `${locator} did not come to ${address}: ${await page.locator("main").innerText()}`);
}

async function planned(page, task) {
  await page.goto(`${base}/maintenance`);
  await page.locator("select[name=task]").selectOption(task);
  await page.getByRole("button", { name: "Plan it" }).click();
  await page.waitForURL(/\/maintenance\/plans\/\d+$/);
  const address = page.url();
  await until(page, address, page.locator("section[aria-labelledby=h-run]"));
  return address;
}

(async () => {
  const browser = await launch();
  for (const [round, javaScriptEnabled] of [true, false].entries()) {
    const page = await open(browser, base, { javaScriptEnabled });
    expect(isThere(), "there is nothing to do");
    await planned(page, "gc-log");
    expect(isThere(), "a plan changed something");
    expect(await page.locator("ol.steps li").count() > 0, "the plan shows no step");
    if (javaScriptEnabled) {
      await accessible(page, "a plan");
      await fits(page, "a plan");
    }
    const run = page.locator("form[action$='/run']");
    await run.getByLabel("Your name").fill("ann <b>");
    await run.getByRole("button").click();
    await page.waitForURL(/\/maintenance/);
    const done = page.locator("details.cause", { hasText: "gc-log" }).filter({ hasText: "effect" });
    await until(page, `${base}/maintenance`, done);
    expect(!isThere(), "the task did nothing");
    await done.first().locator("summary").click();
    expect(/^alignwatch task undo \d+$/.test(await done.first().locator(".command code").textContent()), "nothing tells how to take it back");
    await done.first().getByRole("link", { name: /^Take run/ }).click();
    await page.waitForURL(/\/undo$/);
    if (javaScriptEnabled) {
      await accessible(page, "taking back");
      await fits(page, "taking back");
    }
    const undo = page.locator("form[action$='/undo']");
    await undo.getByLabel("Your name").fill("ann <b>");
    await undo.getByRole("button").click();
    await page.waitForURL(/\/maintenance/);
    await until(page, `${base}/maintenance`, page.locator("details.cause > summary", { hasText: "taken back" }).nth(round));
    expect(isThere(), "it was not taken back");
    await page.goto(`${base}/alerts`);
    const notes = await page.locator("section[aria-labelledby=h-audit] tbody tr").allTextContents();
    for (const what of ["ran a task", "took a run back"]) {
      expect(notes.some((note) => note.includes(what) && note.includes("ann <b>")), `it is not written down: ${what}: ${notes}`);
    }
    await page.context().close();
  }
  await finish(browser);
})();

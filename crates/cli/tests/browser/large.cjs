// Drives the pages of large repositories: nothing is slow to draw, too wide, or refused.
// node large.cjs BASE '[{"id": REPOSITORY, "n": BRANCHES}, …]'

const { accessible, expect, finish, fits, launch, open } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);

const number = (text) => Number(String(text).replaceAll(",", ""));

/** The number of branches that the table says it found. */
async function found(page) {
  const text = await page.locator("p.found").innerText();
  return number((/of ([\d,]+)/.exec(text) ?? /^([\d,]+)/.exec(text) ?? [0, 0])[1]);
}

async function lookedThrough(browser, path, name) {
  for (const [look, options] of Object.entries({ wide: {}, phone: { viewport: { width: 390, height: 844 } } })) {
    const page = await open(browser, base, options);
    await page.goto(base + path);
    await accessible(page, `${name}, ${look}`);
    await fits(page, `${name}, ${look}`);
    await page.context().close();
  }
}

/** Who has never seen it finds which branches conflict, and why, by three clicks. */
async function fromTheOverviewToTheReason(browser, id) {
  const page = await open(browser, base);
  await page.goto(base);
  await page.locator(`td[data-label=Conflicting] a[href^='/repositories/${id}']`).click();
  const rows = page.locator("table.branches tbody tr");
  expect(await rows.count() > 0, "no branch that conflicts is listed");
  const states = await page.locator("table.branches td[data-label=State]").allInnerTexts();
  expect(states.every((state) => state.includes("conflicting")), `others are listed as well: ${states}`);
  const where = await page.locator("table.branches td[data-label=Conflicts]").allInnerTexts();
  expect(where.some((text) => /\d+ paths?/.test(text)), "the table does not tell where they conflict");
  await page.locator("table.branches tbody th a").first().click();
  expect(/would conflict at [\d,]+ path/.test(await page.locator("p.headline").innerText()), "the branch does not say it");
  expect(await page.locator("table.paths tbody tr").count() > 0, "the paths are not listed");
  const brought = await page.locator("table.paths td[data-label='Brought by'] code").count();
  expect(brought > 0, "no path names the commit that brought its conflict");
  await page.context().close();
}

async function theTable(browser, id, n) {
  const page = await open(browser, base);
  await page.goto(`${base}/repositories/${id}/branches`);
  // The lines themselves stand in the table, too.
  expect(Math.abs(await found(page) - n) <= 3, `${await found(page)} of ${n} branches are found`);
  const first = await page.locator("table.branches tbody th a").first().innerText();
  await page.locator("a[rel=next]").click();
  await page.waitForURL(/page=2/);
  expect(await page.locator("table.branches tbody th a").first().innerText() !== first, "the next page is the same");
  await page.locator("input[type=search]").fill(first);
  await page.waitForURL((url) => url.searchParams.get("q") === first);
  await page.locator("table.branches tbody th a", { hasText: first }).first().waitFor();
  expect(await found(page) < n, "the filter lets all through");
  for (const group of ["state", "family", "owner", "age"]) {
    await page.goto(`${base}/repositories/${id}/branches?group=${group}`);
    expect(await page.locator("tr.group").count() > 0, `they are not grouped by ${group}`);
  }
  await page.goto(`${base}/repositories/${id}/branches?sort=-behind`);
  expect(await page.locator("table.branches tbody tr").count() > 0, "sorting lost them");
  await page.context().close();
}

(async () => {
  const browser = await launch();
  for (const { id, n, conflicts } of JSON.parse(given)) {
    const repository = `/repositories/${id}`;
    await lookedThrough(browser, repository, `repository of ${n}`);
    await lookedThrough(browser, `${repository}/branches?group=state`, `branches of ${n}`);
    await theTable(browser, id, n);
    if (conflicts) await fromTheOverviewToTheReason(browser, id);
  }
  await lookedThrough(browser, "/", "overview");
  await lookedThrough(browser, "/report?period=week", "report");
  await finish(browser);
})();

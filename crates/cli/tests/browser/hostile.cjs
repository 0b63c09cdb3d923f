// Goes through all pages of a repository whose names are attacks: nothing may run, nothing may become markup.
// node hostile.cjs BASE {"id": REPOSITORY, "branches": [NAME…], "n_runs": N, "in_depth": each name in queries as well}

const { expect, finish, fits, launch, open } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);
const facts = JSON.parse(given);
const repository = `/repositories/${facts.id}`;

/** What stands in a page that ours never have. */
function foreign() {
  const found = [...document.querySelectorAll("img, iframe, object, embed, video, math, base, style, template, marquee")];
  found.push(...document.querySelectorAll("script:not([src='/assets/pages.mjs']), form:not(.filter, .act, .inline), body :not(svg *) > body"));
  const attributes = [...document.querySelectorAll("*")].flatMap((one) => [...one.attributes]
    .filter((own) => own.name.startsWith("on") || own.name === "style" || /^\s*(javascript|data|vbscript):/i.test(own.value) && own.name === "href")
    .map((own) => `${one.tagName} ${own.name}=${own.value}`));
  return found.map((one) => one.outerHTML.slice(0, 120)).concat(attributes);
}

(async () => {
  const browser = await launch();
  const page = await open(browser, base, { viewport: { width: 390, height: 844 } });
  const see = async (path) => {
    await page.goto(base + path);
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
    // What an event handler would do when somebody points there.
    await page.evaluate(() => document.querySelectorAll("main *").forEach((one) => one.dispatchEvent(new Event("mouseover", { bubbles: true }))));
    (await page.evaluate(foreign)).forEach((one) => expect(false, `${path} holds ${one}`));
    await fits(page, path);
  };
  for (const path of ["/", repository, "/alerts", "/runs", "/maintenance", "/status", `${repository}/branches?group=owner`]) await see(path);
  const shown = new Set();
  for (let number = 1, before = -1; before < shown.size && shown.size < facts.branches.length; number += 1) {
    before = shown.size;
    await see(`${repository}/branches?page=${number}`);
    (await page.locator("table.branches a.ref").allTextContents()).forEach((name) => shown.add(name));
  }
  expect(shown.size >= facts.branches.length, `${shown.size} of ${facts.branches.length} branches are shown`);
  for (const name of facts.branches) {
    await see(`${repository}/branch?name=${encodeURIComponent(name)}`);
    expect(await page.locator("h2.title").count() === 1, `${name} has no page`);
    // What is plain in a name stands there as it is: nothing was taken out of it.
    const plain = (text) => [...text].filter((letter) => /[!-~]/.test(letter)).join("");
    if (plain(name).length === [...name].length) {
      const title = await page.locator("h2.title").textContent();
      expect(plain(title) === plain(name.slice("refs/heads/".length)), `${name} is shown as ${title}`);
    }
    if (!facts.in_depth) continue;
    const query = encodeURIComponent(name.slice(14));
    await see(`/silences/new?matchers=subject%3D${query}&who=${query}&comment=${query}&lasts=${query}`);
    await see(`${repository}/branches?q=${query}&state=${query}&owner=${query}&family=${query}&path=${query}&sort=${query}&group=${query}&page=${query}`);
  }
  const most = 200;
  const { runs } = await (await fetch(`${base}/api/v1/runs?limit=${most}`)).json();
  expect(runs.length >= Math.min(most, facts.n_runs), `${runs.length} of ${facts.n_runs} runs are there`);
  for (const { run } of runs) await see(`/runs/${run}`);
  const { alerts } = await (await fetch(`${base}/api/v1/alerts`)).json();
  for (const { id } of alerts.slice(0, 10)) await see(`/alerts/${encodeURIComponent(id)}`);
  for (const path of ["/", "/alerts", "/runs", "/report?period=week"]) await see(path);
  await finish(browser);
})();

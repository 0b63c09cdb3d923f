// Goes through all pages of a repository whose names are attacks: nothing may run, nothing may become markup.
// node hostile.cjs BASE {"id": REPOSITORY, "branches": [NAME…], "n_runs": N, "in_depth": each name in queries as well}

const { expect, finish, fits, launch, open } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);
const facts = JSON.parse(given);
const repository = `/repositories/${facts.id}`;

/** What stands in a page that ours never have. */
function foreign(document) {
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
  await page.addInitScript(`window.foreign = ${foreign}`);
  const see = async (path) => {
    await page.goto(base + path);
    await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
    // What an event handler would do when somebody points there.
    await page.evaluate(() => document.querySelectorAll("main *").forEach((one) => one.dispatchEvent(new Event("mouseover", { bubbles: true }))));
    (await page.evaluate(() => window.foreign(document))).forEach((one) => expect(false, `${path} holds ${one}`));
    await fits(page, path);
  };
  /** The same of what a page is made from, which is quick; and what stands in its title. Our pages let nobody parse text. */
  const blank = await (await browser.newContext()).newPage();
  await blank.evaluate(`window.foreign = ${foreign}`);
  const glance = async (path) => {
    const [found, titles] = await blank.evaluate((text) => {
      const made = new DOMParser().parseFromString(text, "text/html");
      return [window.foreign(made), [...made.querySelectorAll("h2.title")].map((one) => one.textContent)];
    }, await (await fetch(base + path)).text());
    found.forEach((one) => expect(false, `${path} holds ${one}`));
    return titles;
  };
  for (const path of ["/", repository, "/alerts", "/runs", "/maintenance", "/status", `${repository}/branches?group=owner`]) await see(path);
  const shown = new Set();
  for (let number = 1, before = -1; before < shown.size && shown.size < facts.branches.length; number += 1) {
    before = shown.size;
    await see(`${repository}/branches?page=${number}`);
    (await page.locator("table.branches a.ref").allTextContents()).forEach((name) => shown.add(name));
  }
  expect(shown.size >= facts.branches.length, `${shown.size} of ${facts.branches.length} branches are shown`);
  for (const [number, name] of facts.branches.entries()) {
    const path = `${repository}/branch?name=${encodeURIComponent(name)}`;
    if (facts.in_depth || number % 10 === 0) await see(path);
    const titles = await glance(path);
    expect(titles.length === 1, `${name} has no page`);
    // What is plain in a name stands there as it is: nothing was taken out of it.
    if (/^[!-~]*$/.test(name)) expect(titles[0] === name.slice("refs/heads/".length), `${name} is shown as ${titles[0]}`);
    if (!facts.in_depth) continue;
    const query = encodeURIComponent(name.slice(14));
    await see(`/silences/new?matchers=subject%3D${query}&who=${query}&comment=${query}&lasts=${query}`);
    await see(`${repository}/branches?q=${query}&state=${query}&owner=${query}&family=${query}&path=${query}&sort=${query}&group=${query}&page=${query}`);
  }
  const most = 200;
  const { runs } = await (await fetch(`${base}/api/v1/runs?limit=${most}`)).json();
  expect(runs.length >= Math.min(most, facts.n_runs), `${runs.length} of ${facts.n_runs} runs are there`);
  for (const [number, { run }] of runs.entries()) {
    if (facts.in_depth || number % 10 === 0) await see(`/runs/${run}`);
    else await glance(`/runs/${run}`);
  }
  const { alerts } = await (await fetch(`${base}/api/v1/alerts`)).json();
  for (const { id } of alerts.slice(0, 10)) await see(`/alerts/${encodeURIComponent(id)}`);
  for (const path of ["/", "/alerts", "/runs", "/report?period=week"]) await see(path);
  await finish(browser);
})();

// When the first paint of pages comes, in milliseconds from the request on, each in a browser that knows nothing yet.
// node paint.cjs BASE '["/", …]'

const { launch } = require("./browser.cjs");

const [base, given] = process.argv.slice(2);

(async () => {
  const times = {};
  for (const path of JSON.parse(given)) {
    const browser = await launch();
    const page = await browser.newPage();
    await page.goto(base + path);
    times[path] = await page.evaluate(() => new Promise((resolve) => {
      new PerformanceObserver((list) => resolve(list.getEntriesByName("first-contentful-paint")[0].startTime))
        .observe({ type: "paint", buffered: true });
    }));
    await browser.close();
  }
  console.log(JSON.stringify(times));
})();

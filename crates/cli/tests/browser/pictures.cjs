// Takes the pictures of docs/images from a daemon that watches the generated repository `like-649`.
// node pictures.cjs BASE FOLDER

const { launch } = require("./browser.cjs");

const [base, folder] = process.argv.slice(2);

const PICTURES = [
  { name: "repository", path: (id) => `/repositories/${id}`, viewport: { width: 1280, height: 1010 } },
  { name: "branches", path: (id) => `/repositories/${id}/branches?state=conflicting&group=owner`, viewport: { width: 1280, height: 760 }, colorScheme: "dark" },
  { name: "phone", path: (id) => `/repositories/${id}`, viewport: { width: 390, height: 760 } },
];

(async () => {
  const browser = await launch();
  const found = await (await fetch(`${base}/api/v1/repositories`)).json();
  const { id } = found.repositories.find((one) => one.path.endsWith("like-649"));
  for (const { name, path, ...options } of PICTURES) {
    const page = await browser.newPage(options);
    await page.goto(base + path(id));
    await page.locator("#live.on").waitFor({ state: "attached" });
    await page.screenshot({ path: `${folder}/${name}.png` });
    await page.close();
  }
  await browser.close();
})();

// Takes the pictures of docs/images from a daemon that watches the generated repository `like-649`.
// node pictures.cjs BASE FOLDER

const { launch } = require("./browser.cjs");

const [base, folder] = process.argv.slice(2);

const PICTURES = [
  { name: "repository", path: (id) => `/repositories/${id}`, viewport: { width: 1280, height: 1010 } },
  { name: "branches", path: (id) => `/repositories/${id}/branches?state=conflicting&group=owner`, viewport: { width: 1280, height: 760 }, colorScheme: "dark" },

];

(async () => {
  const browser = await launch();
  const watched = async () => {
    const { repositories } = await (await fetch(`${base}/api/v1/repositories`)).json();
    return repositories.find((one) => one.path.endsWith("like-649"));
  };
  // The first look takes a while.
  while (!await watched()) await new Promise((resolve) => setTimeout(resolve, 1000));
  const { id } = await watched();
  for (const { name, path, ...options } of PICTURES) {
    const page = await browser.newPage(options);
    await page.goto(base + path(id));
    await page.locator("#live.on").waitFor({ state: "attached" });
    await page.screenshot({ path: `${folder}/${name}.png` });
    await page.close();
  }
  await browser.close();
})();

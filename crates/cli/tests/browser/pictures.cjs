// Takes the pictures of docs/images from a daemon that watches the generated repository `like-649`.
// node pictures.cjs BASE FOLDER

const { launch } = require("./browser.cjs");

const [base, folder] = process.argv.slice(2);

const PICTURES = [
  { name: "repository", path: (id) => `/repositories/${id}`, viewport: { width: 1280, height: 1010 } },
  { name: "branches", path: (id) => `/repositories/${id}/branches?state=conflicting&group=owner`, viewport: { width: 1280, height: 760 }, colorScheme: "dark" },
  { name: "branch", path: (id, branch) => `/repositories/${id}/branch?name=${encodeURIComponent(branch)}`, viewport: { width: 1280, height: 1010 } },
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
  // The one that conflicts at fewest paths, but at some: all of it is to be seen.
  const { branches } = await (await fetch(`${base}/api/v1/repositories/${id}/branches?state=conflicting&limit=500`)).json();
  const told = branches.filter((one) => one.n_conflicts >= 4 && one.causes?.some((cause) => cause.paths.length > 0));
  const { ref } = told.reduce((least, one) => (one.n_conflicts < least.n_conflicts ? one : least));
  for (const { name, path, ...options } of PICTURES) {
    const page = await browser.newPage(options);
    await page.goto(base + path(id, ref));
    await page.locator("#live.on").waitFor({ state: "attached" });
    await page.screenshot({ path: `${folder}/${name}.png` });
    await page.close();
  }
  await browser.close();
})();

// Makes pages that work without it quicker to use: they stay current, filters answer while one types, charts show
// their values, commands can be copied. Nothing here makes markup out of text.

const REFRESH_EVERY_MS = 15_000;
const TYPING_PAUSE_MS = 180;

document.documentElement.classList.add("script");

// --- Asking for a page -------------------------------------------------------------------------------------------

/** Asks for a page as a document; the browser parses it without running anything. */
function ask(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 10_000;
    request.onload = () => (request.response && request.status === 200
      ? resolve({ page: request.response, tag: request.getResponseHeader("ETag") })
      : reject(new Error(`${request.status}`)));
    request.onerror = request.ontimeout = () => reject(new Error("no answer"));
    request.send();
  });
}

/** Puts the content of an element of another page in the place of ours. What is unfolded here stays so. */
function replace(page, selector) {
  const here = document.querySelector(selector);
  const there = page.querySelector(selector);
  if (!here || !there) return;
  const open = [...here.querySelectorAll("details[open][id]")].map((one) => one.id);
  const focused = here.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && (focused.id ? `#${CSS.escape(focused.id)}` : focused.getAttribute("href") &&
    `a[href="${CSS.escape(focused.getAttribute("href"))}"]`);
  here.replaceChildren(...[...there.childNodes].map((node) => document.adoptNode(node)));
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (again) here.querySelector(again)?.focus({ preventScroll: true });
  prepare(here);
}

// --- Staying current ---------------------------------------------------------------------------------------------

const live = document.getElementById("live");
let tag = null;
let timer = null;

function isBusy() {
  const active = document.activeElement;
  return Boolean(active?.closest("form, dialog")) || Boolean(String(getSelection()));
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    if (!isBusy()) {
      const answer = await ask(location.href);
      if (tag && answer.tag !== tag && !isBusy()) replace(answer.page, "#main");
      tag = answer.tag;
    }
    live.className = "live on";
    live.textContent = "live";
  } catch {
    live.className = "live off";
    live.textContent = "no answer from the daemon";
  }
  timer = setTimeout(refresh, REFRESH_EVERY_MS);
}

document.addEventListener("visibilitychange", refresh);

// --- Filters -----------------------------------------------------------------------------------------------------

function watchFilter(form) {
  let pause = null;
  const show = async () => {
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const address = `${location.pathname}?${asked}`;
    history.replaceState(null, "", address);
    tag = null;
    try {
      replace((await ask(address)).page, "#results");
    } catch {
      form.submit();
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(show, TYPING_PAUSE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(pause);
    show();
  });
}

document.addEventListener("keydown", (event) => {
  const field = document.querySelector("form[data-live] input[type=search]");
  if (event.key === "/" && field && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    field.focus();
  }
});

// --- Charts ------------------------------------------------------------------------------------------------------

function watchChart(chart) {
  const dots = [...chart.querySelectorAll(".dots circle")];
  if (dots.length === 0) return;
  const places = dots.map((dot) => Number(dot.getAttribute("cx")));
  const tip = document.createElement("p");
  tip.className = "tip";
  tip.hidden = true;
  chart.after(tip);
  let shown = null;
  const leave = () => {
    shown?.classList.remove("shown");
    shown = null;
    tip.hidden = true;
  };
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const nearest = places.reduce((best, place, n) => (Math.abs(place - x) < Math.abs(places[best] - x) ? n : best), 0);
    if (dots[nearest] === shown) return;
    leave();
    shown = dots[nearest];
    shown.classList.add("shown");
    tip.textContent = shown.querySelector("title").textContent;
    tip.hidden = false;
  });
  chart.addEventListener("pointerleave", leave);
}

// --- Commands ----------------------------------------------------------------------------------------------------

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  } catch {
    // Without leave to write the clipboard the command is at least selected.
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});

/** An address with a part of the page unfolds that part. */
function unfold() {
  const part = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (part?.tagName === "DETAILS") {
    part.open = true;
    part.scrollIntoView();
  }
}

function prepare(within) {
  within.querySelectorAll("svg.chart").forEach(watchChart);
}

document.querySelectorAll("form[data-live]").forEach(watchFilter);
prepare(document);
addEventListener("hashchange", unfold);
unfold();
refresh();

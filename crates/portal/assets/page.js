// Keys, the confirmation and the live board. Every page also works without this file.
"use strict";

const board = document.querySelector("[data-live]");
if (board) {
  const link = document.getElementById("link");
  const show = (up) => {
    link.textContent = up ? link.dataset.up : link.dataset.down;
    link.classList.toggle("down", !up);
  };
  const source = new EventSource(board.dataset.live);
  source.addEventListener("open", () => show(true));
  source.addEventListener("error", () => {
    show(false);
    // The session has ended or the portal is gone: the page itself will say which.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  source.addEventListener("station", (event) => {
    const drawn = document.createElement("template");
    drawn.innerHTML = event.data;
    const part = drawn.content.firstElementChild;
    const old = document.getElementById(part.id);
    document.getElementById("nothing")?.remove();
    if (old) old.replaceWith(part);
    else board.insertBefore(part, [...board.children].find((other) => other.id > part.id) ?? null);
  });
  source.addEventListener("gone", (event) => { document.getElementById(`station-${event.data}`)?.remove(); });
}

// What the stream does not tell is asked for again, so many seconds after it came.
const fresh = document.querySelector("[data-fresh]");
if (fresh) {
  setInterval(async () => {
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const now = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-fresh]");
    // Only what changed: a reader of the screen is not told the same twice.
    if (now && now.innerHTML !== fresh.innerHTML) fresh.innerHTML = now.innerHTML;
  }, fresh.dataset.fresh * 1000);
}

const approve = document.getElementById("approve");
const confirm = document.getElementById("confirm");
if (approve && confirm) {
  approve.addEventListener("submit", (event) => {
    if (confirm.open) return;
    event.preventDefault();
    confirm.showModal();
  });
}

// Papers under review: one at a time, turned by P and the arrows, enlarged by + and -. Without this file all stand below one another.
const viewer = document.getElementById("viewer");
const papers = viewer ? [...viewer.querySelectorAll("figure")] : [];
let shown = 0;
let zoom = 1;
const turn = (by) => {
  shown = (shown + by + papers.length) % papers.length;
  papers.forEach((paper, at) => { paper.hidden = at !== shown; });
  document.querySelectorAll("[data-paper]").forEach((tab) => {
    tab.toggleAttribute("aria-current", Number(tab.dataset.paper) === shown);
  });
};
const enlarge = (by) => {
  zoom = Math.min(4, Math.max(1, zoom + by));
  viewer.dataset.zoom = zoom;
};
if (papers.length) {
  viewer.classList.add("single");
  document.querySelectorAll("[data-paper]").forEach((tab) => {
    tab.addEventListener("click", (event) => { event.preventDefault(); turn(Number(tab.dataset.paper) - shown); });
  });
  turn(0);
}
const papersKey = (key) => {
  if (!papers.length) return false;
  if (key === "p" || key === "ArrowLeft") turn(-1);
  else if (key === "ArrowRight") turn(1);
  else if (key === "+" || key === "=") enlarge(1);
  else if (key === "-") enlarge(-1);
  else return false;
  return true;
};

document.addEventListener("keydown", (event) => {
  // A box that is ticked takes keys as the page does; only where somebody types they are letters.
  const typing = event.target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  if (papersKey(event.key)) { event.preventDefault(); return; }
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.focus(); }
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!target) return;
  event.preventDefault();
  // With a reason ticked R goes to the button, so that 3 R Enter refuses; without, to the text.
  const ticked = target.form?.querySelector("input[type=checkbox]:checked");
  if (target.tagName !== "TEXTAREA") target.click();
  else if (ticked) target.form.querySelector("button").focus();
  else target.focus();
});

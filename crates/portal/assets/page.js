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

const approve = document.getElementById("approve");
const confirm = document.getElementById("confirm");
if (approve && confirm) {
  approve.addEventListener("submit", (event) => {
    if (confirm.open) return;
    event.preventDefault();
    confirm.showModal();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.focus(); }
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!target) return;
  event.preventDefault();
  if (target.tagName === "TEXTAREA") target.focus(); else target.click();
});

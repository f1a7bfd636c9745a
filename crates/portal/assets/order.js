// The order form's comforts: places, amount, pictures before they are sent, the phone's picture, the countdown.
// Every page also works without this file.
"use strict";

const byId = (id) => document.getElementById(id);
const form = document.querySelector(".order-form");

// Places: what each select offers depends on the one before it.
const province = byId("receiver.province"), city = byId("receiver.city"), county = byId("receiver.county");
const offer = (select, names) => {
  const first = select.options[0];
  select.replaceChildren(first, ...names.map((name) => new Option(name)));
  select.selectedIndex = names.length === 1 ? 1 : 0;
};
const read = (text) => {
  const places = new Map();
  let cities;
  for (const line of text.split("\n")) {
    if (!line || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    if (colon < 0) places.set(line, cities = new Map());
    else cities.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim().split(/\s+/).filter(Boolean));
  }
  return places;
};
if (province) {
  fetch("/assets/regions.txt").then((answer) => answer.ok ? answer.text() : Promise.reject(answer.status)).then((text) => {
    const places = read(text);
    // A place without a list has lines of text instead of selects: the page is drawn anew.
    const redraw = () => form.querySelector("button[value=region]").click();
    const counties = () => {
      const names = places.get(province.value)?.get(city.value);
      if (county.tagName !== "SELECT" || (names && !names.length)) redraw(); else offer(county, names ?? []);
    };
    province.addEventListener("change", () => {
      const cities = places.get(province.value);
      if (city.tagName !== "SELECT" || county.tagName !== "SELECT" || (cities && !cities.size)) return redraw();
      offer(city, cities ? [...cities.keys()] : []);
      if (city.value) counties(); else offer(county, []);
    });
    city.addEventListener("change", counties);
    for (const button of form.querySelectorAll("button.choose")) button.hidden = true;
    // Somebody may have chosen before the places were here.
    if (province.value && city.tagName === "SELECT" && city.options.length < 2) province.dispatchEvent(new Event("change"));
  }).catch(() => {});
}

// The amount, as the portal will count it.
const years = byId("years"), quantity = byId("quantity"), amount = byId("amount");
if (amount && years && quantity) {
  const show = () => {
    const keys = Math.min(Math.max(parseInt(quantity.value, 10) || 0, quantity.min), quantity.max);
    const fen = form.dataset.price * years.value * keys;
    amount.value = `¥ ${Math.floor(fen / 100)}.${String(fen % 100).padStart(2, "0")}`;
  };
  years.addEventListener("change", show);
  quantity.addEventListener("input", show);
}

// A picture is shown as soon as it is chosen, and one that is too large is told before it is sent.
const tell = (input, message) => {
  const box = input.closest(".picture"), id = `${input.id}.error`;
  box.classList.toggle("wrong", message !== "");
  byId(id)?.remove();
  input.setAttribute("aria-describedby", `${input.id}.hint${message ? ` ${id}` : ""}`);
  input.removeAttribute("aria-invalid");
  if (!message) return;
  input.setAttribute("aria-invalid", "true");
  const error = document.createElement("p");
  error.className = "error";
  error.id = id;
  error.setAttribute("role", "alert");
  error.textContent = message;
  input.after(error);
};
for (const input of document.querySelectorAll(".picture input[type=file]")) {
  const box = input.closest(".picture"), frame = box.querySelector(".frame"), kept = [...frame.childNodes];
  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    if (file.size > 8 * 1024 * 1024) {
      // What is sent is nothing: the frame shows again what the portal has.
      input.value = "";
      frame.replaceChildren(...kept);
      tell(input, box.dataset.large);
      input.focus();
      return;
    }
    tell(input, "");
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      const image = new Image();
      image.src = reader.result;
      image.alt = file.name;
      if (input.files[0] === file) frame.replaceChildren(image);
    });
    reader.readAsDataURL(file);
  });
}

// The phone has sent its picture: the form is saved and drawn anew with it.
const phone = document.querySelector("[data-phone]");
if (phone) {
  let asked = 0;
  const ask = () => {
    if (++asked > 450) return;
    fetch(phone.dataset.phone, { headers: { accept: "application/json" } })
      .then((answer) => answer.ok ? answer.json() : {})
      .then((state) => {
        if (state.state === "done") phone.querySelector("button[value=save]").click();
        else if (state.state !== "ended") setTimeout(ask, 2000);
      })
      .catch(() => setTimeout(ask, 5000));
  };
  setTimeout(ask, 2000);
}

// Seconds until the next code may be asked for.
const send = document.querySelector("button[data-wait]");
if (send && Number(send.dataset.wait) > 0) {
  const text = send.textContent, until = Date.now() + send.dataset.wait * 1000;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    send.disabled = left > 0;
    send.textContent = left > 0 ? `${left} ${send.dataset.again}` : text;
    if (left > 0) setTimeout(tick, 500);
  };
  tick();
}

const summary = byId("summary");
if (summary) summary.focus();

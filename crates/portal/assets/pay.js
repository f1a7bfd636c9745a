// Waits for the payment and shows how long is left. Without this file the page's button does the same by hand.
"use strict";

const pay = document.querySelector("[data-payment]");
if (pay) {
  const left = document.getElementById("left");
  const ends = Date.now() + Number(pay.dataset.leftMs);
  const tell = () => {
    const seconds = Math.max(0, Math.round((ends - Date.now()) / 1000));
    left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  const look = async () => {
    if (Date.now() > ends + 5000) { location.reload(); return; }
    try {
      const answer = await fetch(pay.dataset.payment, { headers: { accept: "application/json" } });
      if (!answer.ok || (await answer.json()).payment !== "waiting") { location.reload(); return; }
    } catch {
      // The network is away for a moment: the next look tells.
    }
    setTimeout(look, 3000);
  };
  setInterval(tell, 1000);
  setTimeout(look, 3000);
  tell();
}

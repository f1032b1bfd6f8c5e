// The page works without this script. It counts down the expiry, and keeps the scroll position and
// the focus when a form leads back to the page.

const expiry = document.getElementById("expiry");
if (expiry) {
  const lifetime = Number(expiry.dataset.lifetime);
  const end = Date.now() + Number(expiry.dataset.seconds) * 1000;
  const clock = document.getElementById("expiry-clock");
  const bar = document.getElementById("expiry-bar");
  const tick = () => {
    const left = Math.max(0, (end - Date.now()) / 1000);
    const minutes = Math.floor(left / 60);
    const seconds = String(Math.floor(left % 60)).padStart(2, "0");
    clock.textContent = `${minutes}:${seconds}`;
    bar.setAttribute("width", String(Math.min(100, (100 * left) / lifetime)));
    expiry.classList.toggle("late", left < 60);
    if (left > 0) {
      setTimeout(tick, (left % 1) * 1000 + 10);
    } else {
      document.getElementById("expiry-words").textContent = "expired: the next request starts a new session";
      clock.hidden = true;
      expiry.classList.add("over");
    }
  };
  tick();
}

const KEY = "place";
for (const form of document.forms) {
  form.addEventListener("submit", ({ submitter }) => {
    const keyboard = submitter?.matches(":focus-visible:not(.by-pointer)") ?? false;
    const place = { top: window.scrollY, id: submitter?.id, keyboard };
    sessionStorage.setItem(KEY, JSON.stringify(place));
  });
}

const place = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
sessionStorage.removeItem(KEY);
const message = document.getElementById("message");
if (place) {
  const target = document.getElementById(place.id) ?? message;
  if (target && !place.keyboard) {
    target.classList.add("by-pointer");
    target.addEventListener("keydown", () => target.classList.remove("by-pointer"), { once: true });
  }
  target?.focus({ preventScroll: true });
  window.scrollTo({ top: place.top, behavior: "instant" });
}
if (message) {
  // Screen readers announce changes of a live region, but not its initial text.
  const words = message.textContent;
  setTimeout(() => {
    document.getElementById("news").textContent = words;
  }, 100);
}

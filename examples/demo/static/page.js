// The page works without this script. It counts down, keeps the scroll position and the focus when
// a form leads back to the page, shows one view at a time on a phone, and copies code.

function countDown(box, over) {
  const lifetime = Number(box.dataset.lifetime);
  const end = Date.now() + Number(box.dataset.seconds) * 1000;
  const [words, clock, bar] = ["p > span", "strong", "rect"].map((part) => box.querySelector(part));
  const tick = () => {
    const left = Math.max(0, (end - Date.now()) / 1000);
    clock.textContent = `${Math.floor(left / 60)}:${String(Math.floor(left % 60)).padStart(2, "0")}`;
    bar.setAttribute("width", String(Math.min(100, (100 * left) / lifetime)));
    box.classList.toggle("late", left < lifetime / 10);
    if (left > 0) {
      setTimeout(tick, (left % 1) * 1000 + 10);
    } else {
      words.textContent = over;
      clock.hidden = true;
      box.classList.add("over");
    }
  };
  tick();
}

const countdowns = {
  expiry: "expired: the next request starts a new session",
  short: "has ended: the next use begins a new session",
};
for (const [id, over] of Object.entries(countdowns)) {
  const box = document.getElementById(id);
  if (box) countDown(box, over);
}

// On a phone, the views are tabs.
const tabs = document.getElementById("views");
const narrow = matchMedia("(max-width: 900px)");
function show(id) {
  for (const view of document.querySelectorAll(".view")) {
    view.hidden = narrow.matches && view.id !== id;
  }
  for (const tab of tabs.querySelectorAll("a")) {
    if (tab.hash === `#${id}`) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  }
  sessionStorage.setItem("view", id);
}
if (tabs) {
  tabs.addEventListener("click", (event) => {
    const tab = event.target.closest("a");
    if (!tab || !narrow.matches) return;
    event.preventDefault();
    show(tab.hash.slice(1));
  });
  const again = () => show(sessionStorage.getItem("view") ?? "try");
  narrow.addEventListener("change", again);
  again();
}

// A replay is a motion that some people do not want: show its end.
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const timeline of document.querySelectorAll(".timeline")) {
    timeline.pauseAnimations();
    timeline.setCurrentTime(3600);
  }
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    button.textContent = "Copied";
  });
}

const KEY = "place";
for (const form of document.forms) {
  form.addEventListener("submit", ({ submitter }) => {
    const keyboard = submitter?.matches(":focus-visible:not(.by-pointer)") ?? false;
    const place = { top: window.scrollY, id: submitter?.id, keyboard };
    sessionStorage.setItem(KEY, JSON.stringify(place));
    if (form.classList.contains("run")) submitter?.setAttribute("aria-busy", "true");
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

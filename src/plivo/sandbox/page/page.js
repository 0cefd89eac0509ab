// Keeps an open page as it would be if it were loaded now: something happens, the page is fetched, what changed is put
// in its place. Without this file everything can be read; one loads the page again by hand.
"use strict";

const SOON = 150, LATER = 2000, SLOW = 10000;
let timer = 0, busy = false, again = false, stream = null;

/** Fetches this page and replaces the parts that are not as they were. */
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!reply.ok) return;
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      // What a part came as is kept: opening details changes what it is now.
      if (next && next.innerHTML !== (part.came ?? part.innerHTML)) replace(part, next);
    }
  } catch {
    // The sandbox has ended, or restarts: the next try tells.
  } finally {
    busy = false;
    if (again) { again = false; soon(); }
  }
}

/** Puts `next` in the place of `part`; what was open stays open, what was scrolled stays there, and focus stays. */
function replace(part, next) {
  const came = next.innerHTML;
  const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const boxes = [...part.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
  const focusable = "a, summary, .scroll, audio";
  const focus = [...part.querySelectorAll(focusable)].indexOf(document.activeElement);
  part.replaceChildren(...document.adoptNode(next).childNodes);
  part.came = came;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  part.querySelectorAll(".scroll").forEach((box, n) => {
    if (boxes[n]) [box.scrollLeft, box.scrollTop] = boxes[n];
  });
  if (focus >= 0) part.querySelectorAll(focusable)[focus]?.focus({ preventScroll: true });
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(async () => { await refresh(); later(); }, SOON);
}

/** What goes on without an event: durations of live calls, and everything where no event comes. */
function later() {
  clearTimeout(timer);
  if (document.hidden) return;
  const wait = document.querySelector("[data-ticking]") ? LATER / 2 : stream ? SLOW : LATER;
  timer = setTimeout(async () => { await refresh(); later(); }, wait);
}

/** Server-sent events, read as they come: what they say is told by the page itself. */
async function follow() {
  const controller = new AbortController();
  stream = controller;
  try {
    const reply = await fetch("/sandbox/events", { headers: { Accept: "text/event-stream" }, signal: controller.signal });
    const reader = reply.ok ? reply.body.getReader() : null;
    while (reader && !(await reader.read()).done) soon();
  } catch {
    // Ended from there or by us.
  }
  if (stream === controller) stream = null;
}

function start() {
  if (document.hidden) {
    stream?.abort();
    clearTimeout(timer);
  } else {
    follow();
    soon();
  }
}

document.addEventListener("visibilitychange", start);
start();

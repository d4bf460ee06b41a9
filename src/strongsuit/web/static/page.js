// Keys, the next row fetched ahead, and answers that wait in the browser until the server has them.
// Every form works without this; each answer carries a request id, so that sending it twice writes it once.
"use strict";
(() => {
  const main = document.getElementById("main"), place = document.getElementById("turn");
  const live = document.getElementById("live"), trouble = document.getElementById("trouble");
  const address = `/campaigns/${main.dataset.campaign}/label`;
  const shelf = `strongsuit ${main.dataset.campaign} ${main.dataset.person}`;
  let ahead = null, sending = false, began = Date.now(), retry = 0, looking = 0, held = 0, shown = 0;

  const turn = () => place.querySelector(".turn");
  const waiting = () => JSON.parse(localStorage.getItem(shelf) || "[]");
  const keep = (list) => list.length ? localStorage.setItem(shelf, JSON.stringify(list)) : localStorage.removeItem(shelf);
  const say = (text, waits) => { live.textContent = text; live.classList.toggle("waits", Boolean(waits)); };
  const plural = (n) => n === 1 ? "1 answer waits" : `${n} answers wait`;

  function complain(text) {
    trouble.textContent = text || "";
    trouble.hidden = !text;
  }

  function show(html) {
    shown += 1;
    ahead = null;
    place.innerHTML = html;
    document.title = turn().dataset.title;
    history.replaceState(null, "", address);
    dress();
  }

  function dress() {
    began = Date.now();
    const entry = place.querySelector("[data-entry]:checked") || place.querySelector("[data-entry]");
    if (entry) {
      entry.focus({ preventScroll: true });
      if (entry.select && entry.type !== "radio") entry.select();
    } else {
      main.focus();
    }
    for (const keys of place.querySelectorAll("[data-keys]")) keys.hidden = false;
    for (const time of place.querySelectorAll("time[data-lease]")) tick(time);
    clearTimeout(looking);
    if (turn().dataset.waiting) looking = setTimeout(next, 1500);
  }

  function tick(time) {
    const until = new Date(time.dateTime), left = Math.round((until - Date.now()) / 60000);
    const clock = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    time.textContent = left < 0 ? `${clock}; the time is over, your answer still counts` : `${clock} (${left} min)`;
  }

  // The page of the next row, without those whose answers are on their way.
  async function fetched(more) {
    const rows = new Set(waiting().map((one) => one.row).concat(more).filter((row) => row !== ""));
    const query = new URLSearchParams({ part: "1" });
    for (const row of [...rows].slice(-20)) query.append("sent", row);
    const answer = await fetch(`${address}?${query}`, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (answer.status === 401) { complain("Your session is over. Log in again in another tab; your answers wait here."); return null; }
    if (answer.status === 429) return null;
    return answer.ok ? answer.text() : null;
  }

  async function look() {
    const row = turn().dataset.row, then = shown;
    if (row === "" || turn().dataset.edit) return;
    try {
      const html = await fetched([row]);
      if (then !== shown) return;  // the page has gone on: what was the next row may be this one
      const found = html && new DOMParser().parseFromString(html, "text/html").querySelector(".turn");
      ahead = found && found.dataset.row !== "" && found.dataset.row !== row ? html : null;
      if (found && turn().dataset.row === row) {  // how far one is, as of now
        turn().querySelector(".foot").replaceWith(found.querySelector(".foot").cloneNode(true));
        for (const keys of place.querySelectorAll("[data-keys]")) keys.hidden = false;
      }
      const image = ahead && found.querySelector(".image img");
      if (image) new Image().src = image.getAttribute("src");
    } catch { /* offline: there is no next row yet */ }
  }

  async function next() {
    if (ahead) {
      show(ahead);
      if (!waiting().length) look();
      return;
    }
    try {
      const then = shown, html = await fetched([]);
      if (then !== shown) return;
      if (html) { show(html); look(); } else { looking = setTimeout(next, 4000); }
    } catch {
      say(`Offline: ${plural(waiting().length)} here and will be sent.`, true);
      place.innerHTML = '<div class="turn" data-row="" data-until="" data-edit="" data-waiting="1" data-title="Offline">' +
        '<section class="card empty"><h1>Offline</h1><p>Your answers are kept in this browser and sent when the server is there again.</p></section></div>';
      looking = setTimeout(next, 3000);
    }
  }

  // Sends what waits, in order, one after the other.
  async function send() {
    if (sending) return false;
    sending = true;
    clearTimeout(retry);
    let refused = false;
    try {
      for (let list = waiting(); list.length; list = waiting()) {
        const one = list[0];
        const body = new URLSearchParams(one.body);
        body.set("csrf", main.dataset.csrf);
        const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
        if (answer.status === 401 || answer.status === 403) {
          complain("The server does not know this session any more. Log in again in another tab and load this page; your answers wait here.");
          return true;
        }
        if (answer.status === 429 || answer.status === 503 || answer.status === 502) {
          const wait = Number(answer.headers.get("Retry-After")) || 2;
          say(`The server is busy: ${plural(list.length)} here and will be sent.`, true);
          retry = setTimeout(send, 1000 * wait);
          return false;
        }
        const said = await answer.json().catch(() => ({}));
        keep(waiting().filter((other) => other.body !== one.body));
        if (answer.ok) {
          complain("");
          say(said.said);
        } else {
          refused = true;
          await back(one, said.problem || said.detail || "This answer was not taken.");
        }
      }
    } catch {
      say(`Offline: ${plural(waiting().length)} here and will be sent.`, true);
      retry = setTimeout(send, 3000);
      return false;
    } finally {
      sending = false;
    }
    look();  // not awaited: an answer given meanwhile must find nobody sending
    return refused;
  }

  // An answer that was refused: its row again, with what was typed.
  async function back(one, problem) {
    say("");
    if (one.html) show(one.html); else await next();
    const wrong = document.getElementById("wrong");
    if (wrong && turn().dataset.row === String(one.row)) {
      for (const [name, value] of new URLSearchParams(one.body)) {
        const field = place.querySelector(`#answer [name="${CSS.escape(name)}"]:not([type=hidden])`);
        if (field && field.type === "radio") {
          for (const radio of place.querySelectorAll("#answer [type=radio]")) radio.checked = radio.value === value;
        } else if (field && field.tagName !== "BUTTON") field.value = value;
      }
      const again = place.querySelector("#answer [name=request]");
      again.value = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      wrong.textContent = problem;
      wrong.hidden = false;
      for (const entry of place.querySelectorAll("[data-entry]")) entry.setAttribute("aria-invalid", "true");
    } else complain(problem);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!place.contains(form) || form.method === "dialog") return;
    event.preventDefault();
    if (turn().dataset.sent) return;
    const seconds = form.querySelector("[name=seconds]");
    if (seconds) seconds.value = ((Date.now() - began) / 1000).toFixed(1);
    const body = new URLSearchParams(new FormData(form));
    if (event.submitter && event.submitter.name) body.set(event.submitter.name, event.submitter.value);
    body.delete("csrf");
    const row = turn().dataset.row, html = place.innerHTML;
    try {
      keep([...waiting(), { row, body: body.toString(), html }]);
    } catch { form.submit(); return; }  // no room in this browser: the plain way
    turn().dataset.sent = "1";
    say("Saving …");
    const sent = send();
    if (ahead && !turn().dataset.edit) next(); else sent.then((refused) => refused || next());
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.target, begun = at.matches("input[data-entry]:not([type=radio])") && at.value !== "" && at.selectionStart === at.selectionEnd;
    const typing = at.matches("textarea, input:not([type=radio], [type=checkbox], [data-entry]), select") || (begun && event.key !== "?");
    const keys = document.getElementById("keys");
    if (keys.open) return;
    if (event.key === "Escape") {
      place.querySelector("[data-entry]")?.focus();
      for (const open of place.querySelectorAll(".others details[open]")) open.open = false;
      return;
    }
    if (typing) return;
    const radio = [...place.querySelectorAll(".classes input[data-key]")].find((one) => one.dataset.key === event.key.toLowerCase());
    if (radio) {
      radio.checked = true; radio.focus(); event.preventDefault();
    } else if (event.key === "Enter" && (at.type === "radio" || at === main || at === document.body)) {
      const button = place.querySelector("#answer button[value=save]");
      if (button) { event.preventDefault(); button.click(); }
    } else if (event.key === "?") { event.preventDefault(); keys.showModal(); }
    else if (["s", "f"].includes(event.key.toLowerCase())) {
      const box = document.getElementById(event.key.toLowerCase() === "s" ? "skip" : "fail");
      if (box) { event.preventDefault(); box.open = true; box.querySelector("[name=reason]").focus(); }
    } else if (event.key.toLowerCase() === "n") {
      const note = document.getElementById("note");
      if (note) { event.preventDefault(); note.closest("details").open = true; note.focus(); }
    } else if (event.key.toLowerCase() === "u") {
      const link = place.querySelector("[data-undo]");
      event.preventDefault();
      if (waiting().length) say(`${plural(waiting().length)} to be sent first.`, true); else if (link) link.click(); else undo();
    }
  });

  // The row shown was fetched before the last answer was given: ask which answer is the last.
  async function undo() {
    const html = await fetched([]).catch(() => null);
    const link = html && new DOMParser().parseFromString(html, "text/html").querySelector("[data-undo]");
    if (link) location.assign(link.getAttribute("href"));
  }

  // Pictures: a click shows them at full size, dragging pans.
  place.addEventListener("click", (event) => {
    const keys = event.target.closest("[data-keys]"), link = event.target.closest("[data-undo]");
    if (keys) document.getElementById("keys").showModal();
    if (link && !waiting().length) { event.preventDefault(); undo(); }
    const zoom = event.target.closest(".zoom");
    if (zoom && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      if (!held) zoom.querySelector("img").classList.toggle("large");
    }
    held = 0;
  });
  place.addEventListener("pointermove", (event) => {
    const zoom = event.target.closest(".zoom");
    if (zoom && event.buttons === 1 && event.pointerType === "mouse") {
      zoom.scrollBy(-event.movementX, -event.movementY);
      held += Math.abs(event.movementX) + Math.abs(event.movementY) > 2 ? 1 : 0;
    }
  });
  place.addEventListener("dragstart", (event) => event.preventDefault());

  async function renew() {
    if (document.hidden || turn().dataset.row === "") return;
    const body = new URLSearchParams({ csrf: main.dataset.csrf });
    try {
      const answer = await fetch(`/campaigns/${main.dataset.campaign}/renew`, { method: "POST", body });
      const { until } = await answer.json();
      const time = place.querySelector("time[data-lease]");
      if (until && time) { time.dateTime = until; tick(time); }
    } catch { /* offline: a late answer still counts */ }
  }

  addEventListener("online", send);
  setInterval(() => { for (const time of place.querySelectorAll("time[data-lease]")) tick(time); }, 30000);
  setInterval(renew, Math.max(30, Number(main.dataset.lease) / 2 + 5) * 1000);
  const rows = waiting().map((one) => String(one.row));
  dress();
  if (rows.length) {
    send().then(() => { if (rows.includes(turn().dataset.row) && !turn().dataset.edit) next(); });
  } else look();
})();

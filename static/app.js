// What pages need beyond Tabler and htmx. Every page works without it.
"use strict";

// A form that is being sent cannot be sent again by a second click.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.defaultPrevented || event.target.matches("[hx-post], [data-downloads]")) return;
  // After the browser has collected the fields: a disabled button's own value would be left out.
  setTimeout(() => { button.disabled = true; button.classList.add("btn-loading"); });
});
// Coming back with the browser's Back button, the buttons work again.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll(".btn-loading")) {
    button.disabled = false;
    button.classList.remove("btn-loading");
  }
});

// After a refused form the first field that is wrong has the focus, and is in sight.
document.addEventListener("DOMContentLoaded", () => {
  const wrong = document.querySelector('#content :is(.is-invalid, [aria-invalid="true"])');
  const control = wrong?.matches("input, select, textarea") ? wrong : wrong?.querySelector("input, select, textarea");
  control?.focus({ preventScroll: true });
  wrong?.scrollIntoView({ block: "center" });
});

// <select data-submits> and <input data-submits> send their form when they change.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

// <input type="checkbox" data-shows="#id"> shows the part only while it is ticked.
function showParts(root) {
  for (const box of root.querySelectorAll("[data-shows]")) {
    const part = document.querySelector(box.dataset.shows);
    if (part) part.hidden = !box.checked;
  }
}
document.addEventListener("change", (event) => { if (event.target.closest("form")) showParts(event.target.closest("form")); });
document.addEventListener("DOMContentLoaded", () => showParts(document));

// <button data-copies="text"> puts the text on the clipboard.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-copies]");
  if (link) navigator.clipboard?.writeText(link.dataset.copies);
});

// A part that is asked for says that it is busy, and app.css when that takes long. What asks by itself is quiet.
document.addEventListener("htmx:beforeRequest", ({ detail: { elt, target, xhr } }) => {
  if (elt.matches('[hx-trigger^="every"]')) return;
  target.setAttribute("aria-busy", "true");
  xhr.addEventListener("loadend", () => target.removeAttribute("aria-busy"));
});

// Going on within a page, the language's form comes back to where one is. Not by `location` alone: that may be
// an address which only takes what is sent.
document.addEventListener("htmx:pushedIntoHistory", ({ detail }) => {
  document.querySelector(".profile-languages [name=next]").value = detail.path;
});

// What htmx gets no answer to is said, until something works again.
function tellLost() {
  const messages = document.querySelector("#messages");
  if (messages.querySelector("[data-lost]")) return;
  messages.prepend(document.querySelector("#lost").content.cloneNode(true));
  messages.scrollIntoView({ block: "nearest" });
}
document.addEventListener("htmx:sendError", tellLost);
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.xhr.status >= 500) tellLost();
  // What is refused once is not asked for every second: a copy knows nothing of htmx.
  else if (detail.elt.matches('[hx-trigger^="every"]')) detail.elt.replaceWith(detail.elt.cloneNode(true));
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful) document.querySelector("#messages [data-lost]")?.remove();
});

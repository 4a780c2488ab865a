// Unfolds the target of a link, and shows the audit command of the number that was clicked or focused.
"use strict";

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
  }
  target.scrollIntoView();
}

window.addEventListener("hashchange", reveal);
reveal();

const bar = document.getElementById("command"), shown = bar.querySelector("code");

function show(event) {
  const link = event.target.closest("a[title^='manu audit']");
  if (!link) return;
  shown.textContent = link.title;
  bar.hidden = false;
}

document.addEventListener("click", show);
document.addEventListener("focusin", show);
bar.querySelector("button").addEventListener("click", () => { bar.hidden = true; });

"use strict";
/* A drawing of numbered steps gets a slider that lights one of them and shows its text. Without this script the drawing
   stays a picture, and all texts are a list below it. */
(function () {
  const SVG_DATA = "data:image/svg+xml;base64,";
  let figures = 0;

  /* The drawing as elements of the page: in an image no step could be lit. */
  function inline(image) {
    const bytes = Uint8Array.from(atob(image.src.slice(SVG_DATA.length)), (c) => c.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const svg = document.importNode(new DOMParser().parseFromString(text, "image/svg+xml").documentElement, true);
    svg.querySelector("title").remove(); // a tooltip over all of it
    svg.setAttribute("aria-label", image.alt);
    image.hidden = true; // kept for the download
    image.after(svg);
    return svg;
  }

  function upgrade(figure) {
    const list = figure.querySelector("ol.steps");
    const image = figure.querySelector(".picture img");
    if (!list || !image || !image.src.startsWith(SVG_DATA)) return;
    const items = [...list.children];
    const svg = inline(image);
    const id = `steps-${++figures}`;
    const controls = document.createElement("div");
    controls.className = "controls";
    controls.innerHTML = `<div class="control"><label for="${id}">Step</label>` +
      `<input type="range" id="${id}" min="1" max="${items.length}" step="1" value="1">` +
      `<output for="${id}"></output></div>`;
    const input = controls.querySelector("input");
    const output = controls.querySelector("output");
    list.setAttribute("aria-live", "polite");
    function show() {
      const step = input.value;
      output.textContent = `${step} of ${items.length}`;
      items.forEach((item, k) => { item.hidden = k + 1 !== Number(step); });
      for (const group of svg.querySelectorAll("[data-step]")) {
        const seen = group.dataset.step === step ? "visible" : "hidden";
        group.querySelector(".halo").setAttribute("visibility", seen);
      }
    }
    input.addEventListener("input", show);
    figure.querySelector(".picture").before(controls);
    show();
  }
  document.querySelectorAll("figure.chart:has(ol.steps)").forEach(upgrade);
})();

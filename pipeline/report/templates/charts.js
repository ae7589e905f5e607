"use strict";
/* Images become interactive charts one after the other, where they need not be scaled down; those with sliders always.
   `figure.chartView` is the view of one that is interactive, which `data-interactive` tells.
   `ast` makes Vega interpret its expressions, so that the page need not allow eval. Nothing is ever fetched. */
(function () {
  if (!window.vegaEmbed) return;
  const refuse = () => Promise.reject(new Error("This page loads nothing."));
  const options = {
    renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom", disableDefaultStyle: true },
    loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse }
  };
  async function upgrade(figure) {
    const script = figure.querySelector("script.spec");
    const picture = figure.querySelector(".picture");
    const image = picture && picture.querySelector("img");
    if (!script || !image) return;
    const stage = document.createElement("div");
    stage.setAttribute("role", "img");
    stage.setAttribute("aria-label", image.alt);
    try {
      const spec = JSON.parse(script.textContent);
      const controls = window.queuevisorControls && window.queuevisorControls(spec);
      const { view } = await window.vegaEmbed(stage, spec, options);
      stage.querySelector("svg").setAttribute("aria-hidden", "true"); // the stage has the label
      figure.chartView = view;
      picture.replaceChildren(stage);
      if (controls) await controls.connect(view, figure, picture);
      figure.dataset.interactive = "yes";
    } catch (error) {
      console.warn("A chart stays a picture:", error);
    }
  }
  const bound = (figure) => figure.querySelector("script.spec")?.textContent.includes('"bind":{"input"');
  const column = document.querySelector("main").clientWidth;
  const width = (figure) => Number(figure.querySelector(".picture img")?.getAttribute("width"));
  (async () => {
    for (const figure of document.querySelectorAll("figure.chart")) {
      if (bound(figure) || width(figure) <= column) await upgrade(figure);
      figure.dataset.interactive ??= "no";
      await new Promise((resolve) => setTimeout(resolve));
    }
  })();
})();

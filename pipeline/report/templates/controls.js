"use strict";
/* Controls of a chart with sliders: above it, in groups, with value and unit. Their positions are kept in the address
   (#load=20&cpu_speed=2: those that differ from the first ones), so that a link or a reload shows the same curve. */
(function () {
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const MARGIN = 80; // of a vertical axis with its title, and half a label at the right
  let charts = 0;

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /* A parameter of the specification as a control; its own binding is removed from the specification. */
  function control(param, about, id) {
    const bind = param.bind;
    delete param.bind;
    const attributes = { id: id, name: param.name };
    const options = bind.options;
    let input;
    if (options) {
      const texts = bind.labels || options.map(String);
      input = element("select", attributes,
        ...options.map((value, k) => element("option", { value: String(value) }, texts[k])));
    } else {
      const limits = { type: "range", min: bind.min, max: bind.max, step: bind.step };
      input = element("input", { ...attributes, ...limits });
    }
    const output = element("output", { for: id });
    const values = options || null;
    const first = param.value;
    const made = {
      name: param.name, input, first,
      get: () => (values ? values[input.selectedIndex] : Number(input.value)),
      set: (value) => {
        if (values) input.selectedIndex = values.indexOf(value);
        else input.value = String(value);
        made.show();
      },
      /* The value of a text of the address; undefined unless the control can have it. */
      parse: (text) => {
        if (values) return values.find((value) => String(value) === text);
        const value = text.trim() === "" ? NaN : Number(text);
        return value >= Number(input.min) && value <= Number(input.max) ? value : undefined;
      },
      show: () => {
        if (values) return;
        const unit = about.unit === "×" ? " ×" : about.unit ? " " + about.unit : "";
        output.textContent = number.format(made.get()) + unit;
        input.setAttribute("aria-valuetext", output.textContent);
      },
    };
    const unit = values && about.unit ? " (" + about.unit + ")" : "";
    const label = element("label", { for: id }, about.label + unit);
    made.row = element("div", { class: values ? "control choice" : "control" }, label, input, ...(values ? [] : [output]));
    if (!values) input.defaultValue = String(first);
    made.set(first);
    return made;
  }

  /* The panels as wide as the page's column, so that their text is not scaled down on a phone. */
  function fit(spec) {
    const width = Math.max(220, Math.min(860, document.querySelector("main").clientWidth - MARGIN));
    for (const panel of [spec, ...(spec.vconcat || [])]) {
      if (typeof panel.width === "number") panel.width = width;
    }
  }

  /* The controls of a chart before it is drawn; undefined for a chart without sliders. */
  window.queuevisorControls = function (spec) {
    const bound = new Map((spec.params || []).filter((param) => param.bind && param.bind.input).map((p) => [p.name, p]));
    if (!bound.size) return undefined;
    charts += 1;
    const prefix = charts > 1 ? charts + "." : "";
    const stated = spec.usermeta && spec.usermeta.controls;
    const groups = stated || [{
      title: "", controls: [...bound.values()].map((p) => ({ name: p.name, label: (p.bind.name || p.name).replace(/:\s*$/, ""), unit: "" })),
    }];
    const all = [];
    const form = element("form", { class: "controls", "aria-label": "Settings of the chart below" });
    for (const group of groups) {
      const rows = group.controls.filter((about) => bound.has(about.name)).map((about) => {
        const made = control(bound.get(about.name), about, "control-" + charts + "-" + about.name);
        all.push(made);
        return made.row;
      });
      form.append(element("fieldset", {}, ...(group.title ? [element("legend", {}, group.title)] : []), ...rows));
    }
    const reset = element("button", { type: "button", class: "reset" }, "Reset");
    form.append(reset);
    form.addEventListener("submit", (event) => event.preventDefault());

    /* The panel of text lines becomes a paragraph, which is read out and breaks its lines on a phone. */
    const lines = (spec.vconcat || []).find((panel) => panel.name === "answers");
    if (lines) {
      lines.height = 1;
      for (const layer of lines.layer) {
        layer.mark.fontSize = 1;
        layer.encoding.y = { value: 0 };
      }
    }
    fit(spec);

    return {
      async connect(view, figure, picture) {
        const answer = element("div", { class: "answer", role: "status" });
        if (lines) figure.classList.add("answered");
        figure.insertBefore(form, picture);
        if (lines) figure.insertBefore(answer, picture);

        async function draw() {
          for (const each of all) view.signal(each.name, each.get());
          reset.disabled = all.every((each) => each.get() === each.first);
          await view.runAsync();
          if (!lines) return;
          const texts = [...picture.querySelectorAll("g[class*=' answers_'] text")].map((text) => text.textContent);
          answer.replaceChildren(...texts.filter((text) => text).map((text) => element("p", {}, text)));
        }
        function remember() {
          const moved = all.filter((each) => each.get() !== each.first)
            .map((each) => encodeURIComponent(prefix + each.name) + "=" + encodeURIComponent(each.get()));
          const others = positions().filter(([name]) => !all.some((each) => prefix + each.name === name))
            .map(([name, text]) => encodeURIComponent(name) + "=" + encodeURIComponent(text));
          const hash = [...others, ...moved].join("&");
          history.replaceState(history.state, "", hash ? "#" + hash : location.href.split("#")[0]);
        }
        function positions() {
          return location.hash.includes("=") ? [...new URLSearchParams(location.hash.slice(1))] : [];
        }
        function recall() {
          const given = new Map(positions());
          if (!given.size) return;
          for (const each of all) {
            const text = given.get(prefix + each.name);
            const value = text === undefined ? undefined : each.parse(text);
            each.set(value === undefined ? each.first : value);
          }
        }
        let drawing = null, again = false;
        /* One drawing at a time; positions passed in the meantime are left out. */
        async function update() {
          if (drawing) { again = true; return; }
          do {
            again = false;
            drawing = draw();
            await drawing;
          } while (again);
          drawing = null;
        }
        form.addEventListener("input", () => {
          for (const each of all) each.show();
          remember();
          update();
        });
        reset.addEventListener("click", () => {
          for (const each of all) each.set(each.first);
          remember();
          update();
        });
        window.addEventListener("hashchange", () => { recall(); update(); });
        recall();
        await update();
      },
    };
  };
})();

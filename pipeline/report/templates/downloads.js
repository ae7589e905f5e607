"use strict";
/* Each table as CSV, each chart as SVG and PNG: made in the page, nothing is requested. */
(function () {
  const stem = decodeURIComponent(location.pathname.split("/").pop() || "page").replace(/\.html$/, "");
  const fileName = (text, suffix) => {
    const name = text.normalize("NFKD").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
    return `${stem}-${name.slice(0, 60) || "file"}.${suffix}`;
  };

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function tools(...buttons) {
    const line = document.createElement("span");
    line.className = "tools";
    for (const [text, label, action] of buttons) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.title = label;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", action);
      line.append(button);
    }
    return line;
  }

  /* -- tables: a rounded number has its exact value in data-v, remarks under a row are columns again ----------- */

  const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

  function cellValue(cell) {
    if (cell.dataset.v !== undefined) return cell.dataset.v;
    const text = cell.textContent;
    if (text === "–") return "";
    return cell.classList.contains("n") ? text.replaceAll(",", "") : text;
  }

  /* A text from a log that a spreadsheet would run as a formula is made a text by an apostrophe. */
  const harmless = (text) => (/^[=+\-@\t\r\n＝＋－＠]/.test(text) && !NUMBER.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function tableRows(table, notes) {
    const body = [...table.tBodies].flatMap((part) => [...part.rows]);
    const remarks = (row) => new Map([...row.querySelectorAll("p")].map((line) => {
      const label = line.firstElementChild.textContent;
      return [label, line.textContent.slice(label.length).trimStart()];
    }));
    const labels = [...new Set(body.filter((row) => row.className === "under").flatMap((row) => [...remarks(row).keys()]))];
    const rows = [];
    for (const row of body) {
      if (row.className === "under") {
        const texts = remarks(row);
        labels.forEach((label, k) => { rows.at(-1)[rows.at(-1).length - labels.length + k] = texts.get(label) ?? ""; });
        continue;
      }
      const values = [...row.cells].map(cellValue);
      if (notes.length) {
        const marks = values.at(-1).split(", ").filter(Boolean);
        values[values.length - 1] = marks.map((mark) => notes[Number(mark) - 1] ?? mark).join("; ");
      }
      rows.push([...values, ...labels.map(() => "")]);
    }
    const heads = [...(table.tHead?.rows ?? [])].map((row) => [...[...row.cells].map((cell) => cell.textContent), ...labels]);
    return [...heads, ...rows];
  }

  function csv(table) {
    const list = table.closest(".table")?.parentElement.querySelector(":scope > ol.notes");
    const notes = [...(list?.children ?? [])].map((item) => item.textContent);
    return tableRows(table, notes).map((row) => row.map((text) => quoted(harmless(text))).join(",") + "\r\n").join("");
  }

  for (const table of document.querySelectorAll("main table")) {
    if (table.querySelector("math")) continue;
    const box = table.closest(".table") || table;
    const caption = table.caption?.textContent || "table";
    const more = box.nextElementSibling?.matches(".more") ? " (the rows shown)" : "";
    const line = tools(["CSV", `Download as CSV${more}: ${caption}`, () => {
      save(new Blob([csv(table)], { type: "text/csv;charset=utf-8" }), fileName(caption, "csv"));
    }]);
    box.after(line);
  }

  /* -- charts -------------------------------------------------------------------------------------------- */

  const BACKGROUND = '<rect width="100%" height="100%" fill="white"/>';

  async function svgOf(figure) {
    let text;
    if (figure.chartView) {
      text = await figure.chartView.toSVG();
    } else {
      const code = figure.querySelector(".picture img").src.split("base64,")[1];
      text = new TextDecoder().decode(Uint8Array.from(atob(code), (c) => c.charCodeAt(0)));
    }
    return text.replace(/<svg[^>]*>/, (start) => start + BACKGROUND);
  }

  async function pngOf(svg) {
    const image = new Image();
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svg);
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.width;
    canvas.height = 2 * image.height;
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  for (const figure of document.querySelectorAll("figure.chart")) {
    const image = figure.querySelector(".picture img");
    if (!image?.src.startsWith("data:image/svg+xml;base64,")) continue;
    const title = figure.dataset.title || image.alt.split(/[.:]/)[0];
    const line = tools(
      ["SVG", `Download as SVG: ${title}`, async () => {
        save(new Blob([await svgOf(figure)], { type: "image/svg+xml" }), fileName(title, "svg"));
      }],
      ["PNG", `Download as PNG: ${title}`, async () => {
        save(await pngOf(await svgOf(figure)), fileName(title, "png"));
      }]
    );
    figure.querySelector(".picture").after(line);
  }
})();

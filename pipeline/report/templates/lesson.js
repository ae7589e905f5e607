"use strict";
/* The boxes of a lesson's page: an answer is judged here as `pipeline/course/judge.py` judges it in the notebook, by the
   data of its question and by the policy that the page hands over. What an earlier wrong answer would lead to is not
   known here. Answers are kept in this browser, by study and lesson, unless it refuses. */
(function () {
  const element = document.getElementById("judge-policy");
  if (!element) return;
  const policy = JSON.parse(element.textContent);
  const say = policy.texts;

  /* -- numbers as Python prints them: ties go to the even digit -------------------------------------------- */

  function atTie(text, exact, kept) {
    const rest = exact.slice(kept.length);
    return /^\.?50*$/.test(rest) && Number(kept.at(-1)) % 2 === 0 ? kept : text;
  }
  function fixed(value, decimals) {
    const size = Math.abs(value);
    const exact = size.toFixed(100);
    const kept = exact.slice(0, exact.indexOf(".") + (decimals ? decimals + 1 : 0));
    return (value < 0 ? "-" : "") + atTie(size.toFixed(decimals), exact, kept);
  }
  function exponential(value, decimals) {
    const size = Math.abs(value);
    const exact = size.toExponential(100).split("e");
    const [mantissa, exponent] = size.toExponential(decimals).split("e");
    const kept = exact[0].slice(0, decimals ? decimals + 2 : 1);
    const even = atTie(mantissa, exact[0], kept);
    const power = Number(even === mantissa ? exponent : exact[1]);
    const digits = String(Math.abs(power)).padStart(2, "0");
    return `${value < 0 ? "-" : ""}${even}e${power < 0 ? "-" : "+"}${digits}`;
  }
  const withoutZeros = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  function formatShort(value, digits) {
    if (value === 0) return "0";
    const magnitude = Math.floor(Math.log10(Math.abs(value)));
    if (magnitude <= -5 || magnitude >= 9) return exponential(value, digits - 1);
    const [whole, decimals] = fixed(value, Math.max(0, digits - 1 - magnitude)).split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
    return decimals === undefined ? grouped : withoutZeros(`${grouped}.${decimals}`);
  }
  function general(value, digits) {
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (value === 0) return Object.is(value, -0) ? "-0" : "0";
    const [mantissa, exponent] = exponential(value, digits - 1).split("e");
    const power = Number(exponent);
    if (power < -4 || power >= digits) return `${withoutZeros(mantissa)}e${exponent}`;
    return withoutZeros(fixed(value, digits - 1 - power));
  }

  /* -- answers as people write them: number.py -------------------------------------------------------------- */

  const NUMBER = /^([+-]?(?:\d[\d., '\u00a0\u202f]*|[.,]\d+)(?:[eE][+-]?\d{1,4})?)\s*(.*)$/;

  function decimals(text) {
    const [, mantissa, exponent] = text.replace(/[ '\u00a0\u202f]/g, "").match(/^([^eE]*)([eE].*)?$/);
    let readings = [mantissa];
    if (mantissa.includes(",")) {
      readings = [mantissa.replaceAll(",", ".")];
      if (/^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(mantissa)) readings.push(mantissa.replaceAll(",", ""));
    }
    return readings.filter((each) => /^[+-]?(\d+\.?\d*|\.\d+)$/.test(each)).map((each) => each + (exponent || ""));
  }
  function halfUnit(text) {
    const [mantissa, exponent] = text.toLowerCase().split("e");
    const places = (mantissa.split(".")[1] || "").length;
    return 0.5 * Number(`1e${Number(exponent || 0) - (mantissa.endsWith(".0") && places === 1 ? 0 : places)}`);
  }
  function scaled(value, scale) {
    const inverse = 1 / scale;
    return scale < 1 && Number.isInteger(inverse) ? value / inverse : value * scale;
  }
  function parseNumber(text, unit) {
    const match = text.trim().replaceAll("−", "-").match(NUMBER);
    if (!match) return [];
    const suffix = match[2].trim().toLowerCase().replaceAll("μ", "µ");
    const scales = Object.hasOwn(policy.scales, unit) ? policy.scales[unit] : { "": 1, [unit.toLowerCase()]: 1 };
    if (!Object.hasOwn(scales, suffix)) return [];
    return decimals(match[1])
      .filter((digits) => Number.isFinite(Number(digits)))
      .map((digits) => ({
        value: scaled(Number(digits), scales[suffix]),
        resolution: halfUnit(digits) * scales[suffix],
      }));
  }

  /* -- the verdict: judge.py -------------------------------------------------------------------------------- */

  const isNear = (value, target, tolerance) => Math.abs(value - target) <= Math.max(tolerance * Math.abs(target), 1e-12);

  function isRight(number, right, tolerance) {
    if (tolerance === 0) return number.value === right || isNear(number.value, right, 1e-9);
    if (isNear(number.value, right, tolerance * (1 + 1e-9))) return true;
    for (let figures = 3; figures <= policy.maxFigures; figures += 1) {
      if (isNear(number.value, Number(exponential(right, figures - 1)), 1e-9)) return true;
    }
    return false;
  }
  function relative(number, limit = policy.threeFigures) {
    return number.value ? Math.min(number.resolution / Math.abs(number.value), limit) : 0;
  }
  function nearest(value, slips, tolerance) {
    const near = slips
      .filter(([target]) => isNear(value, target, tolerance))
      .map(([target, hint]) => [Math.abs(value - target), hint])
      .sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0));
    return near.length ? near[0][1] : null;
  }
  function figures(number) {
    if (!number.value) return 0;
    const places = Math.floor(Math.log10(Math.abs(number.value))) - Math.floor(Math.log10(2 * number.resolution));
    return Math.max(0, 1 + places);
  }
  function otherNumber(table, number) {
    const value = number.value;
    const tolerance = Math.max(Math.min(relative(number), 5e-4), 1e-9);
    for (const [symbol, target, unit, meaning] of table.quantities) {
      if (isNear(value, target, tolerance)) return `that is ${symbol}, ${meaning}${unit === "1" ? "" : ` (${unit})`}`;
    }
    for (const [key, target] of table.answers) {
      if (isNear(value, target, tolerance)) return `that is ${key}, the answer to another question`;
    }
    if (figures(number) < 4) return null;
    const numbers = new Map();
    for (const [symbol, target, unit] of table.quantities) if (target) numbers.set(symbol, [target, unit]);
    for (const [key, target, unit] of table.answers) if (target && !numbers.has(key)) numbers.set(key, [target, unit]);
    for (const [a, [x, unit]] of numbers) {
      for (const [b, [y, otherUnit]] of numbers) {
        if (a === b) continue;
        if (isNear(value, x / y, tolerance)) return `that is ${a} / ${b}`;
        if (a < b && isNear(value, x * y, tolerance)) return `that is ${a} · ${b}`;
        if (unit !== table.unit || otherUnit !== table.unit) continue;
        if (isNear(value, x - y, tolerance)) return `that is ${a} − ${b}`;
        if (a < b && isNear(value, x + y, tolerance)) return `that is ${a} + ${b}`;
      }
    }
    return null;
  }
  const wrong = (hint) => ({ kind: "wrong", text: hint === say.NOT_YET ? hint : `${say.NOT_YET}: ${hint}` });
  const right = (note, more = "") => ({ kind: "right", text: say.RIGHT + more + (note ? `. ${note}` : "") });

  function judgeReading(table, number) {
    const value = number.value;
    const target = table.right;
    if (isRight(number, target, table.tolerance)) {
      const unit = table.unit === "1" ? "" : ` ${table.unit}`;
      return right(table.note, isNear(value, target, 1e-6) ? "" : `; exactly ${formatShort(target, 5)}${unit}`);
    }
    const tolerance = Math.min(policy.slipTolerance, table.tolerance || policy.slipTolerance);
    const slip = nearest(value, table.slips, Math.max(tolerance, relative(number)));
    if (slip) return wrong(slip);
    const rounded = Math.max(policy.factorTolerance, relative(number, policy.twoFigures));
    for (const [factor, text] of table.factors) {
      if (isNear(value, target * factor, rounded)) return wrong(text);
    }
    for (const [factor, text] of policy.unitFactors[table.unit] || []) {
      const inUnit = table.slips.map(([each, hint]) => [each * factor, hint]);
      const hint = nearest(value, inUnit, rounded);
      if (hint) return wrong(`${hint}; and in another unit: ${text}`);
    }
    if (target && isNear(value, 1 / target, policy.slipTolerance)) return wrong(say.RECIPROCAL);
    if (table.unit === "1" && isNear(value, 1 - target, policy.slipTolerance)) return wrong(say.COMPLEMENT);
    const other = otherNumber(table, number);
    if (other) return wrong(other);
    if (isNear(value, target, policy.close)) {
      const error = value / target - 1;
      return wrong(`close, ${fixed(Math.abs(error) * 100, 1)} % too ${error > 0 ? "large" : "small"}`);
    }
    return wrong(target ? `${general(value / target, 3)} times the right answer` : say.NOT_YET);
  }
  function notANumber(unit) {
    const examples = Object.hasOwn(policy.howToWrite, unit) ? policy.howToWrite[unit] : "12.5";
    return { kind: "wrong", text: `a number is expected, such as ${examples}` };
  }
  function judgeNumber(table, text) {
    if (!text.trim()) return { kind: "blank", text: "" };
    const numbers = parseNumber(text, table.unit);
    if (!numbers.length) return notANumber(table.unit);
    if (table.right === null) return { kind: "unchecked", text: say.UNCHECKED };
    if (!numbers.some((number) => Number.isFinite(number.value))) return { kind: "wrong", text: say.NOT_FINITE };
    const verdicts = numbers.map((number) => judgeReading(table, number));
    return verdicts.find((verdict) => verdict.kind === "right") || verdicts[0];
  }
  function judgeChoice(table, letter) {
    if (!letter) return { kind: "blank", text: "" };
    return letter === table.right ? right(table.note) : wrong(table.reasons[letter]);
  }
  const quoted = (text) => (text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text.replaceAll("'", "\\'")}'`);
  function judgeOrder(table, steps) {
    const step = steps.find((each, place) => each !== table.right[place]);
    if (step === undefined) return right(table.note);
    const reason = table.reasons[step];
    return wrong(`${quoted(step)} does not stand there${reason ? `: ${reason}` : ""}`);
  }
  function keep(table, text) {
    if (!text.trim()) return { kind: "blank", text: "" };
    const isRead = table.kind === "open" || parseNumber(text, table.unit).length;
    return isRead ? { kind: "unchecked", text: say.KEPT } : notANumber(table.unit);
  }
  function judge(table, answer) {
    const judges = { number: judgeNumber, choice: judgeChoice, order: judgeOrder };
    return (judges[table.kind] || keep)(table, answer);
  }
  window.queuevisorJudge = judge;

  /* -- the boxes, and what is kept of them ------------------------------------------------------------------ */

  const boxes = [...document.querySelectorAll("form.question")].map((form) => ({
    form,
    table: JSON.parse(form.querySelector("script").textContent),
    output: form.querySelector("output"),
    list: form.querySelector("ol"),
    field: form.querySelector("input:not([type=radio]), textarea"),
  }));
  const place = `queuevisor-lesson ${document.body.dataset.study} ${document.body.dataset.page}`;
  let answers = {};
  let isRefused = false;

  function isAnswer(table, answer) {
    if (table.kind === "order") return Array.isArray(answer) && String([...answer].sort()) === String([...table.right].sort());
    return typeof answer === "string" && (table.kind !== "choice" || Object.hasOwn(table.options, answer));
  }
  try {
    const kept = JSON.parse(localStorage.getItem(place))?.answers;
    for (const { table } of boxes) {
      if (isAnswer(table, kept?.[table.key])) answers[table.key] = kept[table.key];
    }
  } catch (error) {
    isRefused = !(error instanceof SyntaxError);
  }
  function store(progress) {
    try {
      if (Object.keys(answers).length) localStorage.setItem(place, JSON.stringify({ answers, ...progress }));
      else localStorage.removeItem(place);
    } catch (error) {
      isRefused = true;
    }
  }

  const stepsOf = (list) => [...list.children].map((item) => item.dataset.step);

  function read(box) {
    if (box.list) return stepsOf(box.list);
    return box.field ? box.field.value : box.form.querySelector("input:checked")?.value || "";
  }
  function write(box, answer) {
    if (box.list) {
      const steps = Array.isArray(answer) ? answer : box.table.steps;
      const items = [...box.list.children].sort((a, b) => steps.indexOf(a.dataset.step) - steps.indexOf(b.dataset.step));
      box.list.append(...items);
    } else if (box.field) {
      box.field.value = typeof answer === "string" ? answer : "";
    } else {
      for (const radio of box.form.querySelectorAll("input")) radio.checked = radio.value === answer;
    }
  }
  function show(box, verdict) {
    box.output.className = verdict.kind;
    box.output.textContent = verdict.text;
    if (box.field) box.field.setAttribute("aria-invalid", String(verdict.kind === "wrong"));
  }
  const answerOf = (box) => answers[box.table.key];
  const isAnswered = (box) => answerOf(box) !== undefined;

  const bar = document.querySelector(".lesson-progress");
  function refresh() {
    const judged = boxes.filter(({ table }) => ["number", "choice", "order"].includes(table.kind) && table.right !== null);
    const done = judged.filter((box) => isAnswered(box) && judge(box.table, answerOf(box)).kind === "right");
    const progress = { right: done.length, total: judged.length };
    bar.querySelector("span").textContent =
      `${progress.right} of ${progress.total} right` + (isRefused ? "; this browser keeps no answers" : "");
    bar.querySelector("button").disabled = !boxes.some(isAnswered);
    for (const reveal of document.querySelectorAll(".reveal")) {
      const { key, value } = reveal.dataset;
      const own = answers[key];
      const before = boxes.findLast(({ form }) => form.compareDocumentPosition(reveal) & Node.DOCUMENT_POSITION_FOLLOWING);
      if (before && !isAnswered(before)) {
        reveal.textContent = `${key}: its value is shown after an answer to ${before.table.key}`;
        continue;
      }
      reveal.textContent = `${key}: ${own === undefined ? "no prediction" : `you predicted ${own}`}; it is ${value}`;
    }
    return progress;
  }

  for (const box of boxes) {
    box.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const answer = read(box);
      const verdict = judge(box.table, answer);
      if (verdict.kind === "blank") delete answers[box.table.key];
      else answers[box.table.key] = answer;
      show(box, verdict);
      store(refresh());
      refresh();
    });
    box.form.addEventListener("input", () => show(box, { kind: "blank", text: "" }));
    box.list?.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      const item = button?.closest("li");
      const neighbour = button?.className === "up" ? item?.previousElementSibling : item?.nextElementSibling;
      if (!neighbour) return;
      if (button.className === "up") neighbour.before(item);
      else neighbour.after(item);
      button.focus();
      const steps = stepsOf(box.list);
      show(box, { kind: "blank", text: `now number ${steps.indexOf(item.dataset.step) + 1} of ${steps.length}` });
    });
    if (isAnswered(box)) {
      write(box, answerOf(box));
      show(box, judge(box.table, answerOf(box)));
    }
  }
  bar.querySelector("button").addEventListener("click", () => {
    if (!window.confirm("Delete all answers to this lesson from this browser?")) return;
    answers = {};
    for (const box of boxes) {
      write(box, undefined);
      show(box, { kind: "blank", text: "" });
    }
    store(refresh());
  });
  bar.hidden = false;
  refresh();
})();

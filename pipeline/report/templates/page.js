"use strict";
/* What a page does beyond its HTML: folded sections open for links and for print, the switch for code, the contents
   list of a narrow window, links to the pages next to this one, and scroll boxes that the keyboard reaches. */
(function () {
  const body = document.body;

  function reveal() {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch (error) {
      return;
    }
    if (!target) return;
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) reveal();
  });

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.section:not([open])")];
    for (const details of folded) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });

  const contents = document.querySelector(".contents details");
  const wide = window.matchMedia("(min-width: 1040px)");
  const arrange = () => { if (contents) contents.open = wide.matches; };
  wide.addEventListener("change", arrange);
  arrange();

  const KEY = "queuevisor-code";
  const button = document.querySelector(".code-switch");
  function remembered() {
    try { return localStorage.getItem(KEY) === "shown"; } catch (error) { return false; }
  }
  function showCode(shown) {
    body.classList.toggle("with-code", shown);
    button.setAttribute("aria-pressed", String(shown));
  }
  if (button && document.querySelector("main:not(.lesson) .code")) {
    button.hidden = false;
    showCode(remembered());
    button.addEventListener("click", () => {
      const shown = !body.classList.contains("with-code");
      showCode(shown);
      try { localStorage.setItem(KEY, shown ? "shown" : "hidden"); } catch (error) { /* not kept */ }
    });
  }

  /* `queuevisorPages` is written by the index page: all pages of this report, in its order. */
  function neighbours() {
    const nav = document.querySelector(".neighbours");
    const pages = (window.queuevisorPages || []).filter((page) => page.study === body.dataset.study);
    const own = pages.find((page) => page.page === body.dataset.page);
    if (!nav || !own) return;
    const root = new URL("../", document.currentScript.src);
    const add = (page, text, rel) => {
      if (!page) return;
      const link = document.createElement("a");
      link.href = new URL(page.href, root).href;
      link.textContent = text;
      link.title = page.title;
      if (rel) link.rel = rel;
      nav.append(link);
    };
    const isLesson = (page) => page.notebook.startsWith("course/");
    const alike = pages.filter((page) => (isLesson(own) ? isLesson(page) : page.notebook === own.notebook));
    const place = alike.indexOf(own);
    const kind = own.run ? "run" : isLesson(own) ? "lesson" : "page";
    if (isLesson(own)) add({ href: `${own.study}/course.html`, title: "All lessons" }, "the course");
    add(alike[place - 1], `← previous ${kind}`, "prev");
    add(alike[place + 1], `next ${kind} →`, "next");
    if (own.run) {
      for (const name of own.virtual_servers) {
        add(pages.find((page) => page.page === `what_if/${own.server}/${name}`), `what if: ${name}`);
      }
    }
    nav.hidden = !nav.children.length;
  }
  neighbours();

  const boxes = document.querySelectorAll(".table, .dataframe, .equation, .picture, main pre");
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth + 1) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of boxes) observer.observe(box);

  reveal();
})();

"use strict";
/* The page of the course: how many questions of each lesson this browser has right answers of, kept by lesson.js. */
(function () {
  function progressOf(page) {
    try {
      const kept = JSON.parse(localStorage.getItem(`queuevisor-lesson ${document.body.dataset.study} ${page}`));
      return kept && kept.total > 0 ? kept : null;
    } catch (error) {
      return null;
    }
  }
  for (const place of document.querySelectorAll(".progress")) {
    const pages = place.dataset.pages.split(" ");
    const kept = pages.map(progressOf).filter(Boolean);
    if (!kept.length) continue;
    const right = kept.reduce((sum, each) => sum + each.right, 0);
    const total = kept.reduce((sum, each) => sum + each.total, 0);
    const finished = kept.filter((each) => each.right === each.total).length;
    place.textContent = place.tagName === "SPAN"
      ? ` · ${right} of ${total} right`
      : `In this browser: ${kept.length} of ${pages.length} lessons begun, ${finished} finished; ${right} of ${total} answers right.`;
    place.hidden = false;
  }
})();

// A click on a restored crop picks its mix.
(() => {
  const { all, pick } = report;
  all(".crops [data-mix]").forEach((figure) => figure.addEventListener("click", () => pick(figure.dataset.mix, "picture")));
})();

// The page is whole without this: it sorts tables by a click on a heading, enlarges a plot, filters by words, and says
// what is said once, a verdict's meaning, wherever it stands.
const terms = [...document.querySelectorAll("#words dt")];
const meanings = new Map(terms.map((term) => [term.firstElementChild.className, term.nextElementSibling.textContent]));
for (const verdict of document.querySelectorAll(".verdict")) verdict.title = meanings.get(verdict.className) ?? "";
for (const table of document.querySelectorAll("table.ranked, table.scores")) {
  const headings = [...table.tHead.rows[0].cells];
  const value = (row, place) => {
    const cell = row.cells[place];
    const text = cell?.dataset.value ?? cell?.textContent.trim().replaceAll(",", "") ?? "";
    const number = Number.parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  headings.forEach((heading, place) => {
    if (heading.classList.contains("wide") || !heading.textContent.trim()) return;
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [one, other] = [value(a, place), value(b, place)];
        if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
        return (one > other ? 1 : one < other ? -1 : 0) * (up ? 1 : -1);
      });
      table.tBodies[0].append(...rows);
    });
  });
}
for (const figure of document.querySelectorAll(".panels figure")) {
  const button = document.createElement("button");
  button.className = "enlarge";
  button.textContent = "⤢";
  button.setAttribute("aria-label", `enlarge ${figure.querySelector("figcaption").textContent}`);
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => button.setAttribute("aria-pressed", figure.classList.toggle("large")));
  figure.prepend(button);
}
const box = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: gru, temperature, helps …" });
box.setAttribute("aria-label", "Filter questions");
document.querySelector("nav .name").after(box);
box.addEventListener("input", () => {
  // Each word begins one of those that a question, its answers and the models compared there are told with.
  const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let seen = 0;
  for (const section of document.querySelectorAll("section.of")) {
    const words = section.dataset.words.toLowerCase().split(/[^\p{L}\p{N}_.]+/u);
    section.hidden = !wanted.every((start) => words.some((word) => word.startsWith(start)));
    seen += !section.hidden;
    for (const link of document.querySelectorAll(`nav a[href="#${section.id}"]`)) link.parentElement.hidden = section.hidden;
    for (const row of document.querySelectorAll(`tr[data-of="${section.id}"]`)) row.hidden = section.hidden;
  }
  // Between answers and claims there is nothing else: what was found is at the top, and so is that nothing was.
  document.getElementById("nothing").hidden = seen > 0;
  for (const table of document.querySelectorAll("table.answers")) table.hidden = !table.querySelector("tbody tr:not([hidden])");
});

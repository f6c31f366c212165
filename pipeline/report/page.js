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
const box = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: gru, temperature, yes …" });
box.setAttribute("aria-label", "Filter questions");
document.querySelector("nav .name").after(box);
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase().split(/\s+/);
  for (const section of document.querySelectorAll("section.of")) {
    const hidden = !wanted.every((word) => section.dataset.words.toLowerCase().includes(word));
    const links = document.querySelectorAll(`nav a[href="#${section.id}"]`);
    for (const one of [section, ...[...links].map((link) => link.parentElement)]) one.hidden = hidden;
  }
  for (const row of document.querySelectorAll("tbody[data-of]")) {
    row.hidden = document.getElementById(row.dataset.of).hidden;
  }
});

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
    const number = headings[place].classList.contains("n") ? Number.parseFloat(text) : Number.NaN;
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
const box = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: gru, helps …" });
box.setAttribute("aria-label", "Filter questions, models and figures");
document.querySelector("nav .name").after(box);
const split = (text) => text.toLowerCase().split(/[^\p{L}\p{N}_.]+/u);
box.addEventListener("input", () => {
  // Each word begins one of those of a row or of its question.
  const wanted = split(box.value).filter(Boolean);
  const fits = (text) => wanted.every((start) => split(text).some((word) => word.startsWith(start)));
  let seen = 0;
  for (const section of document.querySelectorAll("section")) {
    const rows = [...section.querySelectorAll("tbody tr:not(.group)")];
    for (const row of rows) row.hidden = !fits(`${section.dataset.about ?? row.dataset.of ?? ""} ${row.textContent}`);
    const found = rows.some((row) => !row.hidden) || fits(section.dataset.words ?? section.textContent);
    section.hidden = section.id !== "answers" && !found;
    seen += found;
    for (const link of document.querySelectorAll(`nav a[href="#${section.id}"]`)) link.parentElement.hidden = section.hidden;
  }
  for (const table of document.querySelectorAll("section table")) {
    let within = false;
    for (const row of [...table.tBodies[0].rows].reverse()) {
      if (row.matches(".group")) row.hidden = !within;
      within = row.matches(".group") ? false : within || !row.hidden;
    }
    const whole = table.closest(".models, .untuned") ?? table.closest(".scroll") ?? table;
    whole.hidden = !table.querySelector("tbody tr:not([hidden])");
  }
  for (const heading of document.querySelectorAll("nav .heading")) {
    let item = heading.nextElementSibling;
    while (item?.matches(".within[hidden]")) item = item.nextElementSibling;
    heading.hidden = !item?.matches(".within");
  }
  document.getElementById("nothing").hidden = seen > 0;
});
// A link opens the section that it leads to.
const unfold = (hash) => document.getElementById(hash.slice(1))?.querySelector(":scope > .fold")?.setAttribute("open", "");
document.addEventListener("click", ({ target }) => unfold(target.closest("a")?.hash ?? ""));
addEventListener("hashchange", () => unfold(location.hash));
unfold(location.hash);

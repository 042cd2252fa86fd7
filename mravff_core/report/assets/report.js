// Tables sort by the column whose head is pressed.
for (const head of document.querySelectorAll("th")) {
  head.querySelector("button").addEventListener("click", () => {
    const column = [...head.parentNode.children].indexOf(head);
    const down = head.getAttribute("aria-sort") === "ascending" || (head.classList.contains("number") && !head.ariaSort);
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const text = row.children[column].textContent;
      const number = parseFloat(text.replace("−", "-"));
      return head.classList.contains("number") ? (Number.isNaN(number) ? -Infinity : number) : text;
    };
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [value(row), row]);
    rows.sort(([a], [b]) => (down ? -1 : 1) * (typeof a === "number" ? a - b : a.localeCompare(b)));
    body.append(...rows.map(([, row]) => row));
  });
}
// A film that begins silences the others.
document.addEventListener("play", (event) => {
  for (const film of document.querySelectorAll("video")) if (film !== event.target) film.pause();
}, true);

"use strict";
/* Which columns of a trace are shown. Without this script all of them are. The boxes are in the order of the columns;
   before these is the one of what the peers do. */
for (const template of document.querySelectorAll("template[data-columns]")) {
  const form = template.content.querySelector("form");
  const boxes = [...form.querySelectorAll("input")];
  const status = form.querySelector("[role=status]");
  const wanted = decodeURIComponent(location.hash.slice(1)).split(",").filter(Boolean);
  const known = wanted.filter((key) => boxes.some((box) => box.value === key));
  if (known.length) for (const box of boxes) box.checked = known.includes(box.value);
  const show = () => {
    for (const row of document.querySelectorAll("table.trace tr"))
      boxes.forEach((box, at) => (row.cells[at + 1].hidden = !box.checked));
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    status.textContent = `${chosen.length} of ${boxes.length} columns are shown.`;
    return chosen;
  };
  form.addEventListener("change", () => history.replaceState(null, "", "#" + show().join(",")));
  form.addEventListener("submit", (event) => event.preventDefault());
  template.replaceWith(template.content);
  show();
}

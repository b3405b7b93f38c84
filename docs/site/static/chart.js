/* Values of a chart: a slider walks through the rows of its table, and the pointer moves the slider. */
"use strict";

for (const chart of document.querySelectorAll("figure.chart")) {
  const rows = [...chart.querySelectorAll(".numbers tbody tr")];
  const pictures = [...chart.querySelectorAll("svg[data-places]")];
  if (pictures.length === 0 || rows.length === 0) continue;

  const names = [...chart.querySelectorAll(".numbers thead th")].map((cell) => cell.textContent.trim());
  const boxes = [...chart.querySelectorAll("input[type=checkbox]")];
  const places = pictures.map((picture) => picture.dataset.places.split(" ").map(Number));

  const reading = document.createElement("div");
  reading.className = "reading";
  const label = document.createElement("label");
  const slider = document.createElement("input");
  const values = document.createElement("output");
  slider.type = "range";
  slider.max = rows.length - 1;
  slider.value = 0;
  label.append("Values at: ", slider);
  reading.append(label, values);
  chart.querySelector(".plot:last-of-type, .plot").parentNode.insertBefore(reading, chart.querySelector("figcaption ~ p"));

  function show() {
    const row = rows[slider.value];
    const cells = [...row.children].map((cell) => cell.textContent.trim());
    slider.setAttribute("aria-valuetext", cells[0]);
    const lines = cells.slice(1).flatMap((text, index) =>
      text && (!boxes[index] || boxes[index].checked) ? [`${names[index + 1]}: ${text}`] : []);
    values.replaceChildren(...[`${names[0]}: ${cells[0]}`, ...lines].map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    }));
    pictures.forEach((picture, index) => {
      const cursor = picture.querySelector(".cursor");
      cursor.setAttribute("transform", `translate(${places[index][slider.value]})`);
      cursor.setAttribute("visibility", "visible");
    });
  }

  pictures.forEach((picture, index) => picture.addEventListener("pointermove", (event) => {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse()).x;
    const far = places[index].map((place) => Math.abs(place - x));
    slider.value = far.indexOf(Math.min(...far));
    show();
  }));
  slider.addEventListener("input", show);
  chart.addEventListener("change", show);
}

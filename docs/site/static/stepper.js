"use strict";
/* Shows one step at a time. Without this script all of them stand one below the other. */
for (const stepper of document.querySelectorAll("[data-stepper]")) {
  const template = stepper.querySelector("template");
  template.replaceWith(template.content);
  const frames = [...stepper.querySelectorAll(".frame")];
  const controls = stepper.querySelector(".controls");
  const range = stepper.querySelector("input[type=range]");
  const status = stepper.querySelector("[role=status]");
  const button = (name) => stepper.querySelector(`[data-go=${name}]`);
  let at = 0, timer = 0;

  const show = (number, told = true) => {
    at = Math.min(Math.max(number, 0), frames.length - 1);
    frames.forEach((frame, i) => { frame.hidden = i !== at; });
    range.value = at + 1;
    range.setAttribute("aria-valuetext", `step ${at + 1} of ${frames.length}`);
    button("back").disabled = button("first").disabled = at === 0;
    button("next").disabled = at === frames.length - 1;
    if (told) status.textContent = frames[at].querySelector(".said").textContent.replace(/\s+/g, " ").trim();
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button("play").setAttribute("aria-pressed", "false");
  };
  const play = () => {
    if (timer) { stop(); return; }
    if (at === frames.length - 1) show(0);
    button("play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => (at < frames.length - 1 ? show(at + 1) : stop()), 2500);
  };
  const go = { first: () => show(0), back: () => show(at - 1), next: () => show(at + 1), last: () => show(frames.length - 1), play };

  const leave = (name) => { if (name !== "play") stop(); go[name](); };
  controls.addEventListener("click", (event) => { if (event.target.dataset.go) leave(event.target.dataset.go); });
  range.addEventListener("input", () => { stop(); show(range.value - 1); });
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === range) return;
    if (event.target.closest("input, textarea, select")) return;
    const name = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last", p: "play", P: "play" }[event.key];
    if (name) { event.preventDefault(); leave(name); }
  });
  const linked = frames.findIndex((frame) => `#${frame.id}` === location.hash);
  stepper.classList.add("one");
  show(Math.max(linked, 0), false);
}

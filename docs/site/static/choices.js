/* Remembers on the next page what the reader has chosen about comments. The choice itself is made by the style sheet. */
(function () {
  "use strict";
  var radios = document.querySelectorAll("input[name=comments]");
  try {
    var chosen = document.getElementById(localStorage.getItem("comments") || "");
    if (chosen) chosen.checked = true;
  } catch (refused) { return; } /* a browser may keep nothing for files */
  radios.forEach(function (radio) {
    radio.addEventListener("change", function () { localStorage.setItem("comments", radio.id); });
  });
})();

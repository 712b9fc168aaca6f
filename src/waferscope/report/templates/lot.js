(function () {
  "use strict";
  var table = document.getElementById("wafers");
  if (!table) return;
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) button.appendChild(head.firstChild);
    head.appendChild(button);
    button.addEventListener("click", function () {
      var numeric = head.className.indexOf("n") >= 0;
      var was = head.getAttribute("aria-sort");
      var up = was ? was === "descending" : !numeric;
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) {
        other.removeAttribute("aria-sort");
      });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var value = function (row) {
        var cell = row.cells[column];
        var text = cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent;
        return numeric ? parseFloat(text) : text.trim();
      };
      rows.sort(function (one, two) {
        var a = value(one), b = value(two), order;
        if (numeric) {
          if (isNaN(a) || isNaN(b)) return (isNaN(a) ? 1 : 0) - (isNaN(b) ? 1 : 0);
          order = a - b;
        } else {
          order = a.localeCompare(b, undefined, { numeric: true });
        }
        return up ? order : -order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
  var filter = document.createElement("input");
  filter.type = "search";
  filter.className = "filter";
  filter.placeholder = "Filter by wafer, label or class";
  filter.setAttribute("aria-label", "Filter the wafers of the table");
  var heads = table.tHead.rows[0].cells;
  var words = function (row) {
    var found = [];
    Array.prototype.forEach.call(row.cells, function (cell, column) {
      var shown = cell.cloneNode(true);
      shown.querySelectorAll(".prob").forEach(function (part) { part.remove(); });
      if (!cell.classList.contains("n")) found.push(shown.textContent);
      else if (heads[column].classList.contains("class") && !cell.classList.contains("zero")) {
        found.push(heads[column].getAttribute("data-name"));
      }
    });
    return found.join(" ").toLowerCase();
  };
  var texts = new Map(rows.map(function (row) { return [row, words(row)]; }));
  var none = body.insertRow();
  none.className = "none";
  none.hidden = true;
  none.insertCell().colSpan = heads.length;
  none.cells[0].textContent = "No wafer matches.";
  filter.addEventListener("input", function () {
    var wanted = filter.value.trim().toLowerCase();
    var shown = 0;
    rows.forEach(function (row) {
      row.hidden = texts.get(row).indexOf(wanted) < 0;
      if (!row.hidden) shown += 1;
    });
    none.hidden = shown > 0;
  });
  var card = table.closest(".card");
  card.insertBefore(filter, card.firstChild);
})();

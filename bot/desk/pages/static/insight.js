// Draws each chart from the data beside it. Without this the tables say it all, and no empty frame is seen.
"use strict";
for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
  const { labels, sets, stacked, lying } = JSON.parse(canvas.dataset.chart);
  const ink = getComputedStyle(document.body).color;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const shades = ["#0b7a87", "#c77700", "#a33a5c"];
  canvas.parentElement.hidden = false;
  if (lying) canvas.parentElement.classList.add(labels.length > 8 ? "tall" : "low");
  new Chart(canvas, {
    type: "bar",
    data: {
      labels,
      datasets: sets.map(({ label, data }, at) => ({ label, data, backgroundColor: shades[at % shades.length], maxBarThickness: 28 })),
    },
    options: {
      indexAxis: lying ? "y" : "x",
      maintainAspectRatio: false,
      animation: still ? false : { duration: 200 },
      plugins: { legend: { display: sets.length > 1, labels: { color: ink } } },
      scales: {
        x: { stacked, ticks: { color: ink, precision: 0 }, beginAtZero: true },
        y: { stacked, ticks: { color: ink, precision: 0, autoSkip: false }, beginAtZero: true },
      },
    },
  });
}
